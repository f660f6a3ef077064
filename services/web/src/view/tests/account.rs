//! Views of accounts, users and the security log with made-up content, hostile where a person could type.

use api::account::{Devices, Factors, Handset, KnownDevice, Passkey, SessionRow, TotpSecret};
use api::security::SecurityEvent;
use api::user::{Group, User, UserRow};
use askama::Template;
use domain::account::{SecondFactor, SessionKind};
use domain::security::SecurityEventKind;
use domain::{
    Capability, CorrelationId, FieldError, GroupId, HandsetId, KnownDeviceId, PasskeyId, PersonId,
    SecurityEventId, SessionId,
};
use serde_json::json;

use super::{HOSTILE, at, nobody, shell, sites};
use crate::view::account::{
    AccountPage, Begun, CodesPage, ConfirmPage, PasskeyPage, PasswordPage, Question, TotpPage,
};
use crate::view::operate::Pager;
use crate::view::setup::{
    CapabilityChoice, GroupPage, GroupsPage, NewUserPage, SecurityPage, SupportForm, SupportPage, UserForm,
    UserPage, UsersPage,
};
use crate::view::{
    FactorPage, ForgotPage, LoginPage, Mistakes, ResetPage, Shell, StepUpPage, VerifyPage, Way, choice,
};

const CHROME: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";

fn login(refusal: Option<&str>, said: Option<&'static str>) -> LoginPage {
    LoginPage {
        shell: nobody(),
        next: "/tickets".to_owned(),
        login: HOSTILE.to_owned(),
        remember: true,
        refusal: refusal.map(str::to_owned),
        said,
    }
}

fn factor(way: SecondFactor, refusal: Option<&str>) -> FactorPage {
    FactorPage {
        shell: nobody(),
        next: "/tickets?q=\"><b>".to_owned(),
        factors: SecondFactor::ALL.to_vec(),
        way,
        refusal: refusal.map(str::to_owned),
    }
}

fn forgot(refusal: Option<&str>) -> ForgotPage {
    ForgotPage {
        shell: nobody(),
        sent: refusal.is_none(),
        login: HOSTILE.to_owned(),
        refusal: refusal.map(str::to_owned),
    }
}

fn reset() -> ResetPage {
    let mistakes = [FieldError::new("/password", "many people use this password; choose another")];
    let mistakes = Mistakes::of_fields(&mistakes);
    ResetPage { shell: nobody(), token: HOSTILE.to_owned(), is_dead: false, refusal: None, mistakes }
}

fn dead_reset() -> ResetPage {
    ResetPage { is_dead: true, mistakes: Mistakes::default(), ..reset() }
}

fn step_up(way: Way) -> StepUpPage {
    StepUpPage {
        shell: shell(),
        next: "/account".to_owned(),
        way,
        has_passkey: way != Way::Password,
        refusal: Some(HOSTILE.to_owned()),
    }
}

fn factors() -> Factors {
    Factors {
        totp: true,
        passkeys: vec![Passkey {
            id: PasskeyId::generate(),
            name: HOSTILE.to_owned(),
            created_at: at("2026-11-20T08:00:00Z"),
            used_at: Some(at("2026-11-24T08:00:00Z")),
        }],
        recovery_codes_left: 9,
        required: true,
        login: Some("supervisor.northwind".to_owned()),
        email: Some("asha@northwind.example.com".to_owned()),
        email_verified: false,
    }
}

fn sessions() -> Vec<SessionRow> {
    let session = |kind, current, factors, user_agent: &str| SessionRow {
        id: SessionId::generate(),
        kind,
        current,
        factors,
        user_agent: user_agent.to_owned(),
        address: "203.0.113.7".parse().ok(),
        created_at: at("2026-11-24T08:00:00Z"),
        last_seen_at: at("2026-11-24T09:12:00Z"),
        expires_at: at("2026-11-25T08:00:00Z"),
    };
    vec![
        session(SessionKind::Web, true, 2, CHROME),
        session(SessionKind::Web, false, 1, HOSTILE),
        session(SessionKind::Mobile, false, 1, "Youtility/2.1 Android"),
    ]
}

fn devices() -> Devices {
    Devices {
        browsers: vec![KnownDevice {
            id: KnownDeviceId::generate(),
            user_agent: CHROME.to_owned(),
            created_at: at("2026-10-01T08:00:00Z"),
            used_at: at("2026-11-24T08:00:00Z"),
            expires_at: at("2027-04-01T08:00:00Z"),
        }],
        handset: Some(Handset {
            id: HandsetId::generate(),
            model: HOSTILE.to_owned(),
            bound_at: at("2026-10-01T08:00:00Z"),
            used_at: at("2026-11-24T08:00:00Z"),
        }),
    }
}

fn account() -> AccountPage {
    AccountPage {
        shell: shell(),
        factors: factors(),
        sessions: sessions(),
        devices: devices(),
        owes_factor: false,
        said: Some("Your password is changed."),
    }
}

/// The account of somebody who has nothing yet and is asked for more.
fn bare_account() -> AccountPage {
    let factors =
        Factors { totp: false, passkeys: Vec::new(), recovery_codes_left: 0, email: None, ..factors() };
    let sessions = sessions().into_iter().take(1).collect();
    let devices = Devices { browsers: Vec::new(), handset: None };
    AccountPage { factors, sessions, devices, owes_factor: true, said: None, ..account() }
}

fn begun() -> Begun {
    let uri = "otpauth://totp/Youtility:asha?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Youtility";
    let secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP".to_owned();
    Begun::of(TotpSecret { secret, uri: uri.to_owned() }).unwrap()
}

fn totp(refusal: Option<&str>) -> TotpPage {
    TotpPage { shell: shell(), begun: Some(begun()), refusal: refusal.map(str::to_owned) }
}

fn codes() -> Vec<String> {
    (1..=10).map(|number| format!("k7f{number:02}-p2qx9-h3mw8-t5vd6")).collect()
}

fn user() -> User {
    User {
        id: PersonId::generate(),
        code: "G-017".to_owned(),
        name: HOSTILE.to_owned(),
        email: Some("marek@northwind.example.com".to_owned()),
        email_verified_at: Some(at("2026-11-20T08:00:00Z")),
        login: Some("marek".to_owned()),
        enabled: true,
        capabilities: vec![Capability::Web, Capability::TicketsRead],
        effective_capabilities: vec![Capability::Web, Capability::TicketsRead, Capability::Mob],
        all_sites: false,
        sites: Vec::new(),
        groups: Vec::new(),
        has_second_factor: true,
    }
}

fn group() -> Group {
    Group {
        id: GroupId::generate(),
        code: "GUARDS".to_owned(),
        name: HOSTILE.to_owned(),
        members: 12,
        capabilities: vec![Capability::Mob, Capability::TicketsRead],
    }
}

fn grantable() -> Vec<Capability> {
    Capability::ALL.iter().copied().filter(|one| one.is_granted_by_client()).collect()
}

fn user_page() -> UserPage {
    let user = user();
    UserPage {
        shell: shell(),
        form: UserForm::of(&user),
        capabilities: CapabilityChoice::all(&grantable(), &user.capabilities, &user.effective_capabilities),
        groups: vec![group()],
        sites: sites(),
        sessions: sessions(),
        user,
        said: Some("The capabilities are kept. They hold at once."),
        refusal: None,
        mistakes: Mistakes::default(),
    }
}

fn refused_user_page() -> UserPage {
    let user = User { enabled: false, email: None, email_verified_at: None, login: None, ..user() };
    let mistakes = Mistakes::of_fields(&[FieldError::new("/email", "this is no e-mail address")]);
    UserPage { user, sessions: Vec::new(), groups: Vec::new(), said: None, mistakes, ..user_page() }
}

fn users() -> UsersPage {
    let row = |name: &str, login: Option<&str>, enabled| UserRow {
        id: PersonId::generate(),
        code: "G-017".to_owned(),
        name: name.to_owned(),
        login: login.map(str::to_owned),
        enabled,
    };
    UsersPage {
        shell: shell(),
        q: HOSTILE.to_owned(),
        rows: vec![
            row("Asha Patil", Some("asha"), true),
            row(HOSTILE, None, true),
            row("Leaver", Some("x"), false),
        ],
        pager: Pager { next: Some("/setup/users?after=abc".to_owned()), ..Pager::default() },
    }
}

fn event(kind: SecurityEventKind, who: Option<&str>, times: u32) -> SecurityEvent {
    SecurityEvent {
        id: SecurityEventId::generate(),
        at: at("2026-11-24T09:12:07Z"),
        kind,
        person_id: None,
        person_name: who.map(str::to_owned),
        login: Some(HOSTILE.to_owned()),
        address: "2001:db8::7".parse().ok(),
        route: Some("/login".to_owned()),
        times,
        correlation_id: CorrelationId::generate(),
        detail: json!({ "reason": HOSTILE, "score": 12, "fields": ["q", "title"] }),
    }
}

fn security(rows: Vec<SecurityEvent>, kind: &str) -> SecurityPage {
    let kinds = SecurityEventKind::ALL.iter().map(|one| (one.to_string(), one.to_string()));
    SecurityPage {
        shell: shell(),
        path: SecurityPage::OURS,
        tabs: true,
        kinds: choice("kind", "What", "Everything", kinds, kind),
        rows,
        pager: Pager { next: Some("/setup/security?before=abc".to_owned()), ..Pager::default() },
        mistakes: Mistakes::default(),
    }
}

fn support() -> SupportPage {
    let mut form = SupportForm::default();
    HOSTILE.clone_into(&mut form.reason);
    let mistakes = Mistakes::of_fields(&[FieldError::new("/client_code", "there is no such client")]);
    SupportPage { shell: shell(), form, refusal: None, mistakes }
}

/// A page as somebody sees it who looks into another client.
fn looking() -> GroupsPage {
    let mut shell: Shell = shell();
    let visitor = shell.visitor.as_mut().unwrap();
    visitor.looks_into_another = true;
    HOSTILE.clone_into(&mut visitor.client_name);
    GroupsPage { shell, groups: vec![group()] }
}

/// Name and HTML of every view of this file.
pub(super) fn every_view() -> Vec<(&'static str, String)> {
    [views_before_sign_in(), views_of_the_account(), views_of_administration()].concat()
}

fn render(page: &dyn askama::DynTemplate) -> String {
    page.dyn_render().unwrap()
}

fn views_before_sign_in() -> Vec<(&'static str, String)> {
    vec![
        ("login", render(&login(None, Some("Your new password is kept. Sign in with it.")))),
        ("login-refused", render(&login(Some("That login name or password is not right."), None))),
        ("factor", render(&factor(SecondFactor::Totp, Some(HOSTILE)))),
        ("factor-recovery", render(&factor(SecondFactor::Recovery, None))),
        ("factor-passkey", render(&factor(SecondFactor::Passkey, None))),
        ("forgot", render(&forgot(Some(HOSTILE)))),
        ("forgot-sent", render(&forgot(None))),
        ("reset", render(&reset())),
        ("reset-dead", render(&dead_reset())),
        ("verify", render(&VerifyPage { shell: nobody(), token: HOSTILE.to_owned(), is_dead: false })),
        ("verify-dead", render(&VerifyPage { shell: nobody(), token: String::new(), is_dead: true })),
        ("step-up-password", render(&step_up(Way::Password))),
        ("step-up-code", render(&step_up(Way::Code))),
        ("step-up-passkey", render(&step_up(Way::Passkey))),
    ]
}

fn views_of_the_account() -> Vec<(&'static str, String)> {
    let question = Question {
        title: HOSTILE.to_owned(),
        trail: "Passkey",
        warning: "It opens your account no more.",
        action: "/account/totp/removal".to_owned(),
        button: "Remove",
    };
    let wrong = Mistakes::of_fields(&[
        FieldError::new("/current", "this is not your password"),
        FieldError::new("/new", "use 12 to 128 characters"),
    ]);
    vec![
        ("account", render(&account())),
        ("account-bare", render(&bare_account())),
        ("account-password", render(&PasswordPage { shell: shell(), refusal: None, mistakes: wrong })),
        ("account-totp", render(&TotpPage { shell: shell(), begun: None, refusal: None })),
        ("account-totp-begun", render(&totp(None))),
        ("account-totp-refused", render(&totp(Some(HOSTILE)))),
        ("account-codes", render(&CodesPage { shell: shell(), codes: Some(codes()), said: Some("Set up.") })),
        ("account-codes-ask", render(&CodesPage { shell: shell(), codes: None, said: None })),
        ("account-passkey", render(&PasskeyPage { shell: shell() })),
        (
            "account-confirm",
            render(&ConfirmPage { shell: shell(), question, refusal: Some(HOSTILE.to_owned()) }),
        ),
    ]
}

fn views_of_administration() -> Vec<(&'static str, String)> {
    let added = Mistakes::of_fields(&[FieldError::new("/code", "somebody has this code")]);
    let rows = || {
        let kinds = SecurityEventKind::ALL.iter().take(12);
        kinds
            .zip(1u32..)
            .map(|(kind, times)| event(*kind, (times % 2 == 0).then_some("Asha Patil"), times))
            .collect()
    };
    let capabilities = || CapabilityChoice::all(&grantable(), &group().capabilities, &[]);
    let group_page = GroupPage {
        shell: shell(),
        group: group(),
        capabilities: capabilities(),
        said: None,
        refusal: Some(HOSTILE.to_owned()),
    };
    vec![
        ("users", render(&users())),
        ("users-region", users().as_list().render().unwrap()),
        ("users-empty", render(&UsersPage { rows: Vec::new(), ..users() })),
        (
            "user-new",
            render(&NewUserPage {
                shell: shell(),
                form: UserForm::of(&user()),
                refusal: None,
                mistakes: added,
            }),
        ),
        ("user", render(&user_page())),
        ("user-refused", render(&refused_user_page())),
        ("groups", render(&GroupsPage { shell: shell(), groups: vec![group()] })),
        ("groups-looking", render(&looking())),
        ("group", render(&group_page)),
        ("security", render(&security(rows(), ""))),
        ("security-empty", render(&security(Vec::new(), "signed_out"))),
        ("security-region", security(rows(), "").as_list().render().unwrap()),
        ("support", render(&support())),
    ]
}

#[test]
fn who_looks_into_another_client_is_told_on_every_page_and_can_end_it() {
    let html = looking().render().unwrap();
    assert!(html.contains("action=\"/support/end\"") && html.contains("You look into"));
    assert!(!account().render().unwrap().contains("/support/end"));
}

#[test]
fn a_secret_is_there_as_picture_and_as_text() {
    let html = totp(None).render().unwrap();
    assert!(html.contains("<svg class=\"qr\"") && html.contains("JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP"));
    assert!(html.contains("autocomplete=\"one-time-code\""));
}

#[test]
fn only_other_sessions_can_be_ended_and_all_of_them_at_once() {
    let html = account().render().unwrap();
    let page = account();
    assert_eq!(html.matches("/end\"").count(), 2);
    let current = page.sessions.iter().find(|session| session.current).unwrap();
    assert!(!html.contains(&format!("/account/sessions/{}/end", current.id)));
    assert!(html.contains("/account/sessions/end-others"));
    assert!(!bare_account().render().unwrap().contains("end-others"));
}

#[test]
fn a_capability_a_group_gives_is_marked_and_not_ticked() {
    let choices = CapabilityChoice::all(
        &[Capability::Web, Capability::Mob],
        &[Capability::Web, Capability::Operate],
        &[Capability::Web, Capability::Mob, Capability::Operate],
    );
    let found: Vec<(Capability, bool, bool)> =
        choices.iter().map(|choice| (choice.capability, choice.given, choice.from_group)).collect();
    assert_eq!(
        found,
        [(Capability::Web, true, false), (Capability::Operate, true, false), (Capability::Mob, false, true)]
    );
}
