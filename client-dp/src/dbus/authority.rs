// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who may do what: polkit decides on the system bus; any other bus belongs to the person who runs it.

use std::collections::HashMap;

use zbus::message::{Flags, Header};
use zbus::{Connection, fdo};
use zbus_polkit::policykit1::{AuthorityProxy, CheckAuthorizationFlags, Subject};

use super::Bus;

/// Where decisions come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// polkit; without an answer from it, nobody may.
    Polkit,
    /// Everybody who can reach the bus is its owner.
    BusOwner,
}

impl Authority {
    /// The authority of a bus.
    #[must_use]
    pub const fn of(bus: &Bus) -> Self {
        match bus {
            Bus::System => Self::Polkit,
            Bus::Session | Bus::Address(_) => Self::BusOwner,
        }
    }

    /// Lets the caller of a message pass, or refuses.
    ///
    /// # Errors
    /// [`fdo::Error::AuthFailed`] with `refusal`.
    pub async fn demand(
        self,
        connection: &Connection,
        header: &Header<'_>,
        action: &str,
        refusal: &str,
    ) -> fdo::Result<()> {
        let allowed = match self {
            Self::BusOwner => true,
            Self::Polkit => ask(connection, header, action).await.unwrap_or_else(|error| {
                tracing::warn!("polkit did not answer for {action}: {error}");
                false
            }),
        };
        if allowed { Ok(()) } else { Err(fdo::Error::AuthFailed(refusal.to_owned())) }
    }
}

async fn ask(connection: &Connection, header: &Header<'_>, action: &str) -> zbus::Result<bool> {
    let subject = Subject::new_for_message_header(header).map_err(|error| zbus::Error::Failure(error.to_string()))?;
    let interactive = header.primary().flags().contains(Flags::ALLOW_INTERACTIVE_AUTH);
    let flags =
        if interactive { CheckAuthorizationFlags::ALLOW_USER_INTERACTION } else { CheckAuthorizationFlags::empty() };
    let polkit = AuthorityProxy::new(connection).await?;
    Ok(polkit.check_authorization(&subject, action, &HashMap::new(), flags, "").await?.is_authorized)
}
