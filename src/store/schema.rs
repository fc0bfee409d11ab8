//! The tables, as the migrations make them; `diesel print-schema` prints this file.

diesel::table! {
    auth_events (id) {
        id -> BigInt,
        user_id -> Nullable<BigInt>,
        event_type -> Text,
        details -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    auth_tokens (token_hash) {
        token_hash -> Binary,
        token_type -> Text,
        user_id -> BigInt,
        email -> Text,
        created_at -> BigInt,
        expires_at -> BigInt,
        used_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    changes (sequence) {
        sequence -> BigInt,
        subject -> Text,
        subject_id -> Text,
        changed_at -> BigInt,
    }
}

diesel::table! {
    daily_counts (day, kind) {
        day -> BigInt,
        kind -> Text,
        count -> BigInt,
    }
}

diesel::table! {
    dropped_keys (key_id) {
        key_id -> Text,
        dropped_at -> BigInt,
    }
}

diesel::table! {
    event_cursors (name) {
        name -> Text,
        position -> BigInt,
        missing -> Text,
        lease -> BigInt,
        leased_until -> BigInt,
        failures -> BigInt,
        retry_at -> BigInt,
        used_at -> BigInt,
    }
}

diesel::table! {
    kept_forms (id) {
        id -> Binary,
        user_id -> BigInt,
        created_at -> BigInt,
        expires_at -> BigInt,
        sent_at -> Nullable<BigInt>,
        page -> Binary,
        fields -> Nullable<Binary>,
    }
}

diesel::table! {
    mail_limits (recipient_hash) {
        recipient_hash -> Binary,
        first_at -> BigInt,
        second_at -> BigInt,
        third_at -> BigInt,
        fourth_at -> BigInt,
        fifth_at -> BigInt,
    }
}

diesel::table! {
    nodes (id) {
        id -> Text,
        version -> Text,
        key_ids -> Text,
        lifetimes -> Text,
        capabilities -> Text,
        host -> Text,
        pid -> BigInt,
        started_at -> BigInt,
        heard_at -> BigInt,
    }
}

diesel::table! {
    notice_links (id) {
        id -> BigInt,
        token_hash -> Binary,
        user_id -> BigInt,
        email -> Nullable<Text>,
        session_id -> Nullable<Text>,
        created_at -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    outbox (id) {
        id -> BigInt,
        message_id -> Text,
        recipient -> Text,
        subject -> Text,
        created_at -> BigInt,
        expires_at -> BigInt,
        due_at -> BigInt,
        attempts -> BigInt,
        deferrals -> BigInt,
        leased_until -> BigInt,
        refused_at -> Nullable<BigInt>,
        refusal -> Nullable<Text>,
        text -> Text,
        html -> Text,
    }
}

diesel::table! {
    pending_registrations (token_hash) {
        token_hash -> Binary,
        email -> Text,
        full_name -> Text,
        password_hash -> Text,
        browser_hash -> Nullable<Binary>,
        may_be_first -> Bool,
        kept -> Bool,
        created_at -> BigInt,
        expires_at -> BigInt,
        used_at -> Nullable<BigInt>,
        user_id -> Nullable<BigInt>,
    }
}

diesel::table! {
    peppers (id) {
        id -> BigInt,
        key -> Binary,
        created_at -> BigInt,
    }
}

diesel::table! {
    retention_clock (id) {
        id -> BigInt,
        reached_at -> BigInt,
        advanced_at -> BigInt,
    }
}

diesel::table! {
    sessions (id) {
        id -> Text,
        user_id -> BigInt,
        generation -> BigInt,
        token_hash -> Binary,
        previous_hash -> Nullable<Binary>,
        rotated_at -> BigInt,
        created_at -> BigInt,
        authenticated_at -> BigInt,
        last_seen_at -> BigInt,
        expires_at -> BigInt,
        kept -> Bool,
        revoked_at -> Nullable<BigInt>,
        revoked_because -> Nullable<Text>,
        user_agent -> Text,
        address -> Text,
        welcomed_at -> Nullable<BigInt>,
        shared_computer -> Bool,
        device_key -> Nullable<Binary>,
        proved_generation -> Nullable<BigInt>,
    }
}

diesel::table! {
    sign_in_forms (form_hash) {
        form_hash -> Binary,
        session_id -> Text,
        used_at -> BigInt,
    }
}

diesel::table! {
    signing_key (id) {
        id -> BigInt,
        key_id -> Nullable<Text>,
        moved_at -> Nullable<BigInt>,
        revision -> BigInt,
    }
}

diesel::table! {
    throttle_counters (key_hash) {
        key_hash -> Binary,
        account_hash -> Nullable<Binary>,
        tries -> BigInt,
        counted_at -> BigInt,
        expires_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    tolerated_migrations (version) {
        version -> Text,
        known -> Text,
    }
}

diesel::table! {
    users (id) {
        id -> BigInt,
        email -> Text,
        full_name -> Text,
        password_hash -> Text,
        role -> Text,
        is_active -> Bool,
        created_at -> BigInt,
        last_login_at -> Nullable<BigInt>,
        theft_noticed_at -> Nullable<BigInt>,
        theft_told_at -> Nullable<BigInt>,
        previous_login_at -> Nullable<BigInt>,
        time_zone -> Nullable<Text>,
        email_refused_at -> Nullable<BigInt>,
    }
}

diesel::joinable!(auth_events -> users (user_id));
diesel::joinable!(auth_tokens -> users (user_id));
diesel::joinable!(kept_forms -> users (user_id));
diesel::joinable!(notice_links -> users (user_id));
diesel::joinable!(pending_registrations -> users (user_id));
diesel::joinable!(sessions -> users (user_id));
diesel::allow_tables_to_appear_in_same_query!(
    auth_events,
    auth_tokens,
    changes,
    daily_counts,
    dropped_keys,
    event_cursors,
    kept_forms,
    mail_limits,
    nodes,
    notice_links,
    outbox,
    pending_registrations,
    peppers,
    retention_clock,
    sessions,
    sign_in_forms,
    signing_key,
    throttle_counters,
    tolerated_migrations,
    users
);
