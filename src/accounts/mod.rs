//! The use cases of an account. They may call [`crate::session`], never the reverse.

mod add;
mod administer;
mod change_email;
mod change_name;
mod change_password;
mod change_time_zone;
mod confirm_email;
mod create;
mod delete_account;
#[cfg(feature = "cli")]
mod import;
mod invite;
mod my_data;
mod operate;
mod pending_registration;
mod register;
mod reset_link;
mod reset_password;

pub use add::{Added, NewAccount, add_account};
pub use administer::{Administered, activate, deactivate, give_role};
pub use change_email::{
    EmailStanding, UndoLink, cancel_email_change, email_standing, find_undo, request_email_change, undo_email_change,
};
pub use change_name::{change_name, rename};
pub use change_password::{PasswordChangeOutcome, change_password};
pub use change_time_zone::change_time_zone;
pub use confirm_email::{ConfirmOutcome, Confirmation, Confirming, confirm_email, find_confirmation, join_confirmed};
pub use create::{Created, Creation, create_account};
pub use delete_account::{DeletionOutcome, delete_account, delete_user};
#[cfg(feature = "cli")]
pub use import::{Format, Pass, UserImport};
pub use invite::{Invited, invite};
pub use my_data::my_data;
pub use operate::{
    Operated, activate_user, deactivate_user, end_sign_ins, mail_reset_link, set_user_role, unlock_user,
};
pub use pending_registration::{UnconfirmedWish, prepare_registration, request_registration, resend_registration};
pub use register::{Registration, RegistrationOutcome, register};
pub use reset_link::{LinkByHand, make_link};
pub use reset_password::{LiveLink, ResetOutcome, find_link, request_reset, reset_password};
