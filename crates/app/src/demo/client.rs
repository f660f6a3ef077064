//! The demo tenants: who they are and what they own.

use domain::sign_in::LoginName;
use domain::telemetry::{AlarmRule, Comparison, Metric};
use domain::text::Code;
use domain::ticket::TicketPriority;
use domain::{AlarmRuleId, Capability, ClientId, DeviceId, GroupId, PersonId, SiteId};

use super::Passwords;
use super::chance::{Kind, id};
use super::names::NAMES;
use crate::tenant::{
    Client, Foundation, Group, Login, Member, NewDevice, NewEscalationRule, NewPerson, Site,
};

/// One tenant in words.
pub(super) struct DemoClient {
    pub(super) tenant: u64,
    pub(super) code: &'static str,
    pub(super) handle: &'static str,
    pub(super) name: &'static str,
    pub(super) time_zone: &'static str,
    /// Code and name; the first is where alarms and guards are.
    pub(super) sites: &'static [(&'static str, &'static str)],
    /// Names of those who may sign in, in the order of [`LOGINS`]; roles without a name nobody has.
    pub(super) login_names: &'static [&'static str],
    /// What the client has bought.
    capabilities: &'static [Capability],
}

/// One kind of person who may sign in.
pub(super) struct DemoRole {
    pub(super) what: &'static str,
    capabilities: &'static [Capability],
    sees_every_site: bool,
}

/// One device, the same at every tenant.
pub(super) struct DemoDevice {
    pub(super) code: &'static str,
    name: &'static str,
    /// The metric that is watched, and the limit above which it raises a ticket.
    pub(super) rule: Option<(&'static str, f64)>,
}

/// The tenants.
pub(super) const CLIENTS: &[DemoClient] = &[
    DemoClient {
        tenant: 1,
        code: "ASTERION",
        handle: "asterion",
        name: "Asterion Guarding",
        time_zone: "Asia/Kolkata",
        sites: &[
            ("HQ", "Head office"),
            ("DEPOT", "North depot"),
            ("MALL", "Lakeside mall"),
            ("PORT", "Container port"),
        ],
        login_names: &["Meera Krishnan", "Devendra Rao", "Bhavesh", "Ishita Banerjee"],
        capabilities: EVERYTHING_AND_OPERATE,
    },
    DemoClient {
        tenant: 2,
        code: "BRANNOC",
        handle: "brannoc",
        name: "St Brannoc Hospital",
        time_zone: "Europe/London",
        sites: &[("HQ", "Head office"), ("WARDS", "Ward block"), ("LAB", "Laboratories")],
        login_names: &["Eleanor Whitcombe", "Seán Ó Faoláin", "Tadeusz"],
        capabilities: EVERYTHING,
    },
];

const EVERYTHING: &[Capability] = &[
    Capability::Web,
    Capability::TicketsRead,
    Capability::TicketsWrite,
    Capability::DevicesRead,
    Capability::Admin,
    Capability::Mob,
    Capability::Report,
    Capability::Security,
];

/// What the client has whose people run the installation for all.
const EVERYTHING_AND_OPERATE: &[Capability] = &[
    Capability::Web,
    Capability::TicketsRead,
    Capability::TicketsWrite,
    Capability::DevicesRead,
    Capability::Admin,
    Capability::Mob,
    Capability::Report,
    Capability::Security,
    Capability::Operate,
];

/// Those who may sign in.
pub(super) const LOGINS: &[DemoRole] = &[
    DemoRole { what: "supervisor", capabilities: EVERYTHING, sees_every_site: true },
    DemoRole {
        what: "helpdesk",
        capabilities: &[Capability::Web, Capability::TicketsRead, Capability::TicketsWrite],
        sees_every_site: true,
    },
    DemoRole {
        what: "guard",
        capabilities: &[Capability::Web, Capability::TicketsRead, Capability::TicketsWrite],
        sees_every_site: false,
    },
    DemoRole {
        what: "operator",
        capabilities: &[Capability::Web, Capability::Operate],
        sees_every_site: true,
    },
];

/// The devices.
pub(super) const DEVICES: &[DemoDevice] = &[
    device("PUMP-1", "Fire pump, motor", Some(("temperature", 70.0))),
    device("CHILLER-1", "Chiller, supply", Some(("temperature", 18.0))),
    device("GENSET-1", "Generator, fuel and load", Some(("load", 95.0))),
    device("UPS-1", "Battery room", Some(("temperature", 45.0))),
    device("LIFT-1", "Passenger lift", None),
    device("GATE-1", "Vehicle gate", None),
];

const fn device(code: &'static str, name: &'static str, rule: Option<(&'static str, f64)>) -> DemoDevice {
    DemoDevice { code, name, rule }
}

impl DemoClient {
    /// Its id.
    pub(super) fn client_id(&self) -> ClientId {
        ClientId::from_uuid(id(Kind::Client, self.tenant, 0))
    }

    /// The login name of a role.
    pub(super) fn login(&self, role: &DemoRole) -> LoginName {
        let text = format!("{}.{}", role.what, self.handle);
        LoginName::parse(&text).expect("roles and handles are letters")
    }

    fn person(&self, number: u64) -> PersonId {
        PersonId::from_uuid(id(Kind::Person, self.tenant, number))
    }

    fn group(&self) -> GroupId {
        GroupId::from_uuid(id(Kind::Group, self.tenant, 0))
    }
}

/// Everything a tenant owns on its first day.
pub(super) fn foundation(
    client: &DemoClient,
    passwords: &Passwords,
    hashes: Vec<(LoginName, String)>,
) -> Foundation {
    let sites: Vec<Site> = numbered(client.sites)
        .map(|(number, (site_code, name))| Site {
            id: SiteId::from_uuid(id(Kind::Site, client.tenant, number)),
            code: code(site_code),
            name: (*name).to_owned(),
        })
        .collect();
    let members = signing_in(client, &sites, hashes).chain(others(client, &sites)).collect();
    let devices: Vec<NewDevice> = devices(client, &sites, passwords).collect();
    Foundation {
        client: Client {
            client_id: client.client_id(),
            code: code(client.code),
            name: client.name.to_owned(),
            time_zone: client.time_zone.to_owned(),
            demo: true,
        },
        capabilities: client.capabilities.to_vec(),
        members,
        groups: vec![Group {
            id: client.group(),
            code: code("HELPDESK"),
            name: "Helpdesk".to_owned(),
            members: vec![client.person(0), client.person(1)],
        }],
        alarm_rules: alarm_rules(client, &devices),
        escalation_rules: escalation_rules(client),
        sites,
        devices,
    }
}

/// People who may sign in: mail reaches the supervisor and the helpdesk; a guard sees the first site.
fn signing_in<'a>(
    client: &'a DemoClient,
    sites: &'a [Site],
    hashes: Vec<(LoginName, String)>,
) -> impl Iterator<Item = Member> + 'a {
    LOGINS.iter().zip(client.login_names).zip(hashes).zip(0..).map(|(((role, name), hash), number)| Member {
        person: NewPerson {
            id: client.person(number),
            code: code(&role.what.to_ascii_uppercase()),
            name: (*name).to_owned(),
            email: role.sees_every_site.then(|| format!("{}@{}.example.com", role.what, client.handle)),
            all_sites: role.sees_every_site,
        },
        capabilities: role.capabilities.to_vec(),
        sites: sites.iter().filter(|_| !role.sees_every_site).take(1).map(|site| site.id).collect(),
        login: Some(Login { name: hash.0, password_hash: hash.1 }),
    })
}

/// Guards and technicians without login and mail, each at one site.
fn others<'a>(client: &'a DemoClient, sites: &'a [Site]) -> impl Iterator<Item = Member> + 'a {
    NAMES.iter().zip(10..).zip(sites.iter().cycle()).map(|((name, number), site)| Member {
        person: NewPerson {
            id: client.person(number),
            code: code(&format!("P{number:03}")),
            name: (*name).to_owned(),
            email: None,
            all_sites: false,
        },
        capabilities: vec![Capability::TicketsRead, Capability::TicketsWrite],
        sites: vec![site.id],
        login: None,
    })
}

fn devices<'a>(
    client: &'a DemoClient,
    sites: &'a [Site],
    passwords: &'a Passwords,
) -> impl Iterator<Item = NewDevice> + 'a {
    numbered(DEVICES).zip(sites.iter().cycle()).map(|((number, device), site)| {
        let broker_username = format!("{}.{}", client.code, device.code);
        let hash = passwords.devices.get(&broker_username).cloned();
        NewDevice {
            id: DeviceId::from_uuid(id(Kind::Device, client.tenant, number)),
            site_id: site.id,
            code: code(device.code),
            name: device.name.to_owned(),
            broker_password_hash: hash.unwrap_or_else(|| "!".to_owned()),
            broker_username,
        }
    })
}

fn alarm_rules(client: &DemoClient, devices: &[NewDevice]) -> Vec<AlarmRule> {
    DEVICES
        .iter()
        .zip(devices)
        .zip(0..)
        .filter_map(|((demo, device), number)| {
            let (metric, threshold) = demo.rule?;
            Some(AlarmRule {
                id: AlarmRuleId::from_uuid(id(Kind::AlarmRule, client.tenant, number)),
                device_id: device.id,
                device_code: device.code.clone(),
                site_id: device.site_id,
                metric: Metric::parse(metric).expect("metrics are letters"),
                comparison: Comparison::Above,
                threshold,
                priority: TicketPriority::High,
                assignee_id: Some(client.person(0)),
                group_id: Some(client.group()),
            })
        })
        .collect()
}

/// Urgent tickets go to the helpdesk after four hours and to the supervisor after a day.
fn escalation_rules(client: &DemoClient) -> Vec<NewEscalationRule> {
    let rule = |level: i32, number: u64, after_minutes: i32| NewEscalationRule {
        id: id(Kind::EscalationRule, client.tenant, number),
        site_id: None,
        priority: TicketPriority::High,
        level,
        after_minutes,
        person_id: (level == 2).then(|| client.person(0)),
        group_id: (level == 1).then(|| client.group()),
        notify: None,
    };
    vec![rule(1, 1, 240), rule(2, 2, 1_440)]
}

fn numbered<T>(things: &[T]) -> impl Iterator<Item = (u64, &T)> {
    (0..).zip(things)
}

fn code(text: &str) -> Code {
    Code::parse(text).expect("the demo's codes are letters, digits and hyphens")
}
