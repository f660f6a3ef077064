//! Which detectors a value needs: one look for keywords, in one pass.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

/// The detectors whose keywords occur.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gates(u8);

impl Gates {
    pub(crate) const SQL: Self = Self(1);
    pub(crate) const SCRIPT: Self = Self(1 << 1);
    pub(crate) const FILE: Self = Self(1 << 2);
    pub(crate) const COMMAND: Self = Self(1 << 3);
    pub(crate) const TEMPLATE: Self = Self(1 << 4);
    pub(crate) const PROTOCOL: Self = Self(1 << 5);
    pub(crate) const LOGIC: Self = Self(1 << 6);
    const ALL: Self = Self(0b111_1111);

    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Looks for the keywords of all detectors in a canonical text.
    pub(crate) fn of(text: &[u8]) -> Self {
        let mut gates = Self::default();
        for found in GATE.automaton.find_overlapping_iter(text) {
            let owner = GATE.owners.get(found.pattern().as_usize()).copied();
            gates = Self(gates.0 | owner.map_or(0, |owner| owner.0));
            if gates == Self::ALL {
                break;
            }
        }
        gates
    }
}

struct Gate {
    automaton: AhoCorasick,
    owners: Vec<Gates>,
}

static GATE: LazyLock<Gate> = LazyLock::new(|| {
    let lists: [(Gates, &[&str]); 7] = [
        (Gates::SQL, SQL),
        (Gates::LOGIC, LOGIC),
        (Gates::SCRIPT, SCRIPT),
        (Gates::FILE, FILE),
        (Gates::COMMAND, COMMAND),
        (Gates::TEMPLATE, TEMPLATE),
        (Gates::PROTOCOL, PROTOCOL),
    ];
    let words = lists.iter().flat_map(|(owner, words)| words.iter().map(|word| (*owner, *word)));
    let (owners, words): (Vec<Gates>, Vec<&str>) = words.unzip();
    let automaton = AhoCorasick::builder()
        .match_kind(MatchKind::Standard)
        .kind(Some(AhoCorasickKind::DFA))
        .build(words)
        .expect("a few hundred short words fit the automaton");
    Gate { automaton, owners }
});

#[rustfmt::skip]
const SQL: &[&str] = &[
    "union", "select", "insert", "update", "delete", "drop", "create", "alter", "truncate", "exec",
    "declare", "waitfor", "sleep", "benchmark", "having", "order by", "group by", "procedure",
    "information_schema", "pg_", "sqlite_", "sysobjects", "xp_", "sp_", "outfile", "dumpfile", "load_file",
    "extractvalue", "updatexml", "char(", "chr(", "concat", "substr", "ascii(", "0x", "@@", "--", "/*",
    "*/", "||", "&&", "1=1", "dbms_", "utl_", "shutdown", "$ne", "$gt", "$lt", "$eq", "$in", "$nin", "$or",
    "$and", "$not", "$where", "$regex", "$exists", ")or", ")and", "rlike", "regexp", "case when", "case(",
    "handler ", "copy (", "grant ", "revoke ", "current_user", "database()", "version()", "user()", "mysql",
    "msysobjects", "rownum", "generate_series", "randomblob", "cast(", "convert(", "<>", "!=", ":=",
    " dual", "$$", "rand(", "exists", "find_in_set", "elt(", "if(", "mid(", "hex(", "ord(", "make_set", ".e(", ".e.",  "database(", "user(", "db_name", "schema_name", "json", "against", "using (", "using(", "call ", "iif(", "div ", "now()", "schema(", "print @", "return ", "db.", "new date", " as ", "load ",
];

/// Words that are SQL only beside a comparison.
const LOGIC: &[&str] =
    &[" or ", " and ", " xor ", "\tor", "\tand", "\nor", "\nand", "+or+", "+and+", " not ", " like ", " is "];

#[rustfmt::skip]
const SCRIPT: &[&str] = &[
    "script", "onerror", "onload", "onclick", "onfocus", "onblur", "onmouse", "onpointer", "ontoggle",
    "onanimation", "ontransition", "onkey", "oninput", "onchange", "onsubmit", "onreset", "onscroll",
    "onwheel", "ondrag", "ondrop", "oncopy", "oncut", "onpaste", "onselect", "onresize", "onhash", "onpage",
    "onpop", "onmessage", "onstart", "onend", "onbegin", "onrepeat", "onfinish", "onbounce", "onabort",
    "oncan", "onplay", "onpause", "onseek", "onstalled", "onsuspend", "ontime", "onvolume", "onwaiting",
    "ondur", "onemptied", "onrate", "onprogress", "oncontext", "ondbl", "onaux", "ontouch", "onbefore",
    "onafter", "onunload", "onunhandled", "onready", "onsearch", "oninvalid", "onshow", "onclose",
    "onformdata", "onslot", "oncue", "ongot", "onlost", "onactivate", "onproperty", "onfullscreen",
    "onwebkit", "onsecurity", "onstorage", "onoffline", "ononline", "ondevice", "ongamepad", "onlanguage",
    "document", "window", "alert", "prompt", "confirm", "eval", "fromcharcode", "settimeout", "setinterval",
    "function", "constructor", "innerhtml", "location", "srcdoc", "expression", "behavior", "-moz-binding",
    "data:", "import", "fetch(", "xmlhttprequest", "atob", "cookie", "localstorage", "sessionstorage",
    "prototype", "__proto__", "[]", "style", "self[", "top[", "this[", "parent[", "frames[", "globalthis",
    "parentnode", "insertadjacent", "createelement", "jquery", "$.get", "<!", "<?", "&{", "formaction", ".call", ". call", "reflect", "btoa(", "open(", "call`", "apply`", "+adw-", "worker", "find(", "map(", "=>", "xmlns", "fscommand",
    "url(", "throw", "print(",
];

#[rustfmt::skip]
const FILE: &[&str] = &[
    "..", "/etc/", "/proc/", "/var/log", "/root/", "/dev/", "passwd", "shadow", "win.ini", "boot.ini",
    "system32", "web.config", "web.xml", "web-inf", "wp-config", ".htaccess", ".htpasswd", ".env", ".git/",
    ".svn/", ".ssh", "id_rsa", "://", "169.254", "metadata", "file:", "jar:", ".bash_history", "/windows",
    "\\windows", "boot.ini", "inetpub", "\\\\",
];

#[rustfmt::skip]
const COMMAND: &[&str] = &[
    "$(", "`", "${ifs", "$ifs", "() {", "(){", "/bin/", "/usr/bin", "cmd.exe", "cmd /c", "powershell",
    "wget", "curl", "bash", "netcat", "nslookup", "whoami", "system(", "exec(", "passthru", "popen",
    "/dev/tcp", "certutil", "bitsadmin", "rundll32", "regsvr32", "mshta", "wscript", "invoke-", "iex(",
    "iex ", "<(", "base64_decode", "{cat", "{ls", "{id", "{wget", "{curl", "{ping", "{echo", "{bash", "{sh", "{nc",
];

#[rustfmt::skip]
const TEMPLATE: &[&str] = &[
    "{{", "${", "#{", "<%", "*{", "@{", "{%", "jndi", "%{", "[[", "__class__", "__globals__", "@(", "{php",
    "freemarker", "getruntime", "#set", "{!", "~{", "ognl",
];

#[rustfmt::skip]
const PROTOCOL: &[&str] = &[
    "\nset-cookie", "\rset-cookie", "\nlocation", "\rlocation", "\ncontent-", "\rcontent-", "http/1.",
    "http/0.9", "http/2", "\nhost:", "\rhost:", "\ntransfer-", "\nx-", "\r\n\r\n", "set-cookie:",
];
