//! Chance that always falls the same way, and ids made of it.

use uuid::{Builder, Uuid};

/// The moment the demo's ids claim to be made at, in Unix milliseconds: 2026-01-01T00:00:00Z.
const IDS_FROM_MS: u64 = 1_767_225_600_000;

/// What an id is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Client,
    Site,
    Person,
    Group,
    Device,
    AlarmRule,
    EscalationRule,
    Ticket,
    Event,
    Message,
}

/// A row of numbers that looks random and is the same in every run (splitmix64).
#[derive(Clone, Debug)]
pub(super) struct Chance {
    state: u64,
}

impl Chance {
    /// Begins the row of a seed.
    pub(super) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number.
    pub(super) const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The next number below a limit.
    pub(super) const fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// One of several.
    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let count = u64::try_from(from.len()).expect("a slice fits into 64 bits").max(1);
        let place = usize::try_from(self.below(count)).expect("a place in a slice fits");
        from.get(place).expect("the demo's lists are not empty")
    }
}

/// The id of the demo's n-th thing of a kind.
pub(super) fn id(kind: Kind, tenant: u64, number: u64) -> Uuid {
    let kind = match kind {
        Kind::Client => 1,
        Kind::Site => 2,
        Kind::Person => 3,
        Kind::Group => 4,
        Kind::Device => 5,
        Kind::AlarmRule => 6,
        Kind::EscalationRule => 7,
        Kind::Ticket => 8,
        Kind::Event => 9,
        Kind::Message => 10,
    };
    let mut chance = Chance::new((kind << 56) | (tenant << 48) | number);
    let mut random = [0; 10];
    for (byte, value) in
        random.iter_mut().zip(chance.next().to_be_bytes().into_iter().chain(chance.next().to_be_bytes()))
    {
        *byte = value;
    }
    Builder::from_unix_timestamp_millis(IDS_FROM_MS + number, &random).into_uuid()
}
