//! Accounts and sign-ins that a test needs at once.

use std::net::SocketAddr;

use time::Duration;

use crate::accounts::{Created, Creation, create_account, give_role};
use crate::domain::client::Client;
use crate::domain::event::Event;
use crate::domain::user::{Email, Role, User};
use crate::session::{Authenticated, IssuedTokens, Sessions, VouchedSignIn};
use crate::store::changes::Change;
use crate::store::users;

/// Begins a session of the account with an address, which is made where it is not there yet.
pub(super) async fn sign_in(
    sessions: &Sessions,
    email: &str,
    role: Option<Role>,
    authenticated_ago: Duration,
    user_agent: &str,
    address: SocketAddr,
) -> IssuedTokens {
    let email: Email = email.parse().unwrap();
    let user = find_or_create(sessions, email, role).await;
    let client = Client::new(Some(address.ip()), user_agent);
    let authenticated_at = Some(sessions.now() - authenticated_ago);
    let sign_in = VouchedSignIn { user: user.id, keep: true, device: None, authenticated_at, tell: false };
    let tokens = sessions.sign_in_vouched(sign_in, &Authenticated::default(), &client).await.unwrap();
    tokens.expect("the account is deactivated")
}

async fn find_or_create(sessions: &Sessions, email: Email, role: Option<Role>) -> User {
    let wanted = email.clone();
    let found = sessions.database().read(move |connection| users::find_by_email(connection, &wanted)).await.unwrap();
    let Some(user) = found else {
        let name = email.as_str().split('@').next().unwrap_or_default().parse().unwrap();
        let role = Some(role.unwrap_or(Role::USER));
        let creation = Creation { email, full_name: name, role, password: None, invite: false };
        match create_account(sessions, creation).await.unwrap() {
            Created::User(user) => return user,
            refused => panic!("no account was made: {refused:?}"),
        }
    };
    if let Some(role) = role {
        let (id, now) = (user.id, sessions.now());
        let given = sessions.write(move |connection| {
            let event = |kind| Event::of_application(kind, Some(id), now);
            Ok((give_role(connection, id, &role, event)?, vec![Change::User(id)]))
        });
        given.await.unwrap();
    }
    user
}
