//! The MQTT client, hidden: nothing outside this module knows which crate speaks to the broker.
//!
//! Three connections. [`Inbox`] holds the session that receives readings; a message is acknowledged by its [`Receipt`]
//! after it is stored, never on arrival. [`Answers`] publishes what became of each message on a connection of its
//! own, and [`Publisher`] what tasks want said on a third, where the answer to each message is waited for: packet ids and
//! flow control of the three cannot meet.
//!
//! Every connection gets a fresh client and event loop, and a broken one is thrown away whole. A receipt belongs to
//! the connection its message came on, so an acknowledgement can never reach another connection, where the same
//! packet id may mean another message.

mod answers;
mod inbox;
mod link;
mod options;
mod publisher;

pub(crate) use answers::Answers;
pub(crate) use inbox::{Delivery, Inbox};
pub(crate) use publisher::{Post, Publisher, Taken, Unpublished};
