//! Injection as patterns over the letters of [`super::word`] and over the text.
//!
//! Abbreviations in patterns over letters: `{v}` is an operand, `{l}` a literal operand, `{b}` the place
//! behind a quote, `{s}` the same near the beginning of the value.

use std::sync::LazyLock;

use crate::patterns::{Pattern, Patterns};
use crate::scan::{HINT, SIGNAL, STRONG};
use crate::verdict::Class;

pub(crate) static PLAIN: LazyLock<Patterns> =
    LazyLock::new(|| Patterns::expanded(Class::SqlInjection, LETTERS, expand));
pub(crate) static BREAKOUT: LazyLock<Patterns> =
    LazyLock::new(|| Patterns::expanded(Class::SqlInjection, BEHIND_QUOTE, expand));
pub(crate) static TEXT: LazyLock<Patterns> = LazyLock::new(|| Patterns::new(Class::SqlInjection, WORDS));

fn expand(pattern: &str) -> String {
    let pattern = pattern.replace("{b}", "^[pP]").replace("{s}", "^p");
    pattern.replace("{v}", r"[a!(]*(?:[nshvNqTt]|w(?:\.w)*|[fmMz]\(|\(S)").replace("{l}", r"[a!(]*[nshN]")
}

/// Anywhere in a text.
#[rustfmt::skip]
const LETTERS: &[Pattern] = &[
    ("sql.union-select", STRONG, r"U(?:A\(*S|\(*SA?\(*(?:[*nshvNqakSFOx(]|[fmMz]\(|w[.,FxC;)]|w?$))"),
    ("sql.condition-literal", STRONG, r"(?:[oHW]{l}(?:a[nsh])*\)*[cE]|O{l}(?:a[nsh])*\)*c)[a!(]*[nshNq]"),
    ("sql.condition-literal", SIGNAL, r"[oHW]{l}(?:a[nsh])*\)*g[a!(]*[nshNq]"),
    ("sql.condition-literal", STRONG, r"[oH]{l}\)*(?:l!?[nshq(]|j!?[N(])"),
    ("sql.condition-call", STRONG, r"[oOH][a!(]*(?:M\(|z\([nsvh(])"),
    ("sql.condition-call", SIGNAL, r"o[a!(]*m\("),
    ("sql.condition-subselect", STRONG, r"[oOHcEglja*,]!?A?\(+S(?:[A(]*[*nshvNfmMz(]|w[F,.])"),
    ("sql.condition-call", STRONG, r"[lj]\(*[zM]\(|m\({l}[cEg]{l},"),
    ("sql.where", SIGNAL, r"W[wT](?:\.w)*[cg][nshq]"),
    ("sql.condition", SIGNAL, r"[o][a!(]*f\([^oO]*\)[cg]"),
    ("sql.condition", STRONG, r"^o(?:{l}|[wT])c[nshwT]|^[nsw]?\(+{l}[cEg]{l}\)+(?:[*a]n|[oO])"),
    ("sql.call-delay", STRONG, r"(?:^a?[ns]\)*[a*,;]|[na*s]a|,|S[A(]*|[;)]a)\(*z\([nsvh(]"),
    ("sql.call-delay", SIGNAL, r"(?:^|[^.w])z\([nsvh]"),
    ("sql.call-delay", STRONG, r"^[;(]*z\(n\)+[;CKnx]*$"),
    ("sql.call-attack", STRONG, r"S\(*M|^\(*M\(*$|^Xv"),
    ("sql.call-attack", STRONG, r"(?:^|[^.])M\((?:[nshvN@fmM()*]|S|w[,.)]|\))"),
    ("sql.call-probe", SIGNAL, r"(?:^|[^.])m\((?:[(]*S|m\(|M\(|v|w\()"),
    ("sql.stacked", STRONG, r";[;(]*(?:S(?:[*shvN(]|[fmMz]\(|A?w[,F.]|A?n[,FC;]|n$)|D[A]?Tw|DTX|iI|uw(?:\.w)*e|dFw|X[vX]|Xw\.|Xws)"),
    ("sql.stacked", STRONG, r";[;(]*(?:X(?:$|[;C])|M\(|z\([nsv]\)*(?:$|[;C]))"),
    ("sql.insert", STRONG, r"iIw(?:\.w)*(?:\(|[eS])"),
    ("sql.drop", STRONG, r"DTw(?:\.w)*[;CK(]"),
    ("sql.drop", SIGNAL, r"DTw"),
    ("sql.update", STRONG, r"uw(?:\.w)*ew(?:\.w)*[cEg]"),
    ("sql.delete", STRONG, r"dFw(?:\.w)*(?:W{v}[cElgj]|[;C])"),
    ("sql.delete", SIGNAL, r"dFw(?:\.w)*$"),
    ("sql.select-from", STRONG, r"S[A(]*(?:[*shvNq]|[fmMz]\(|w\.w|n[,a])[^SF]*F\(*[wfmMT(]"),
    ("sql.select-from", SIGNAL, r"SA?w(?:[,a]w)*F[wT(]|SnF[wT]"),
    ("sql.select-where", STRONG, r"S[^SF]+F[^SW]+W{v}(?:[cEg]|l[nsq])"),
    ("sql.subselect", STRONG, r"\(S[A(]*(?:[*shv(]|[fmMz]\(|N[),F]|n[,aFcE])"),
    ("sql.subselect", SIGNAL, r"\(S[A(]*(?:n\)|[wT]F)"),
    ("sql.select-values", STRONG, r"S[A(]*(?:N,N|v|[Mz]\(|n(?:,[nNshvq]){3,}|[fm]\((?:\(|[fmMz]\(|v))"),
    ("sql.select-values", SIGNAL, r"S[A(]*[fm]\("),
    ("sql.case", STRONG, r"kk\(*[nsv!(fmM][^k]*[cEg][^k]+k"),
    ("sql.case", SIGNAL, r"kk{v}[cEg][^k]+k"),
    ("sql.order", STRONG, r"^a?[ns]\)*Gyn|Gyn(?:,n)*[C;]"),
    ("sql.order", SIGNAL, r"GywH|Gyw(?:,w)*[C;]|^w\)*Gyn$"),
    ("sql.having", STRONG, r"H{l}[cEg]"),
    ("sql.number-condition", STRONG, r"^[a(]*n\)*[oO](?:{v}[cEg]|[a!(]*(?:[fmMz]\(|\(S|N\)*(?:$|[C;])|[nsw]\)*;?[CK]))"),
    ("sql.number-condition", SIGNAL, r"^[a(]*n\)*[oO][a!(]*[ns]\)*$"),
    ("sql.number-condition", STRONG, r"^[a(]*n\)+[oO]|^[a(]*n\)*a\(*(?:\(S|[mMz]\()"),
    ("sql.number-comment", SIGNAL, r"^[a(]*n\)*;?C$"),
    ("sql.variable", SIGNAL, r"vc[a(]*[nshfmM(]"),
];

/// Directly behind the quote that ends the string of the statement.
#[rustfmt::skip]
const BEHIND_QUOTE: &[Pattern] = &[
    ("sql.breakout-comparison", SIGNAL, r"{b}\)*!?[cEg][a!(]*(?:[sqNv]|\(S)"),
    ("sql.breakout-condition", STRONG, r"(?:{b}\)*o|{s}\)*O)!?{v}(?:a{v}|\))*(?:[cEg]|l!?[nshq(]|j!?[N(])"),
    ("sql.breakout-condition", STRONG, r"(?:{b}\)*o|{s}\)*O){l}[)a]*[cElgj]"),
    ("sql.breakout-condition", STRONG, r"(?:{b}\)*o|{s}\)*O)[a!(]*(?:[Nq]|[nsh]\)*(?:$|[;CK])|s[sq]|[fmMz]\(|\(S|S[*nsvNf(m]|w\)*;?C)"),
    ("sql.breakout-condition", SIGNAL, r"(?:{b}\)*o|{s}\)*O)[a!(]*[wvT]\)*$|(?:{b}\)*o|{s}\)*O)\(+[wT]\)"),
    ("sql.breakout-comment", STRONG, r"{b}[);]*C"),
    ("sql.breakout-comment", SIGNAL, r"{b}[);]*K"),
    ("sql.breakout-comment", SIGNAL, r"{b}[);]+.*C$"),
    ("sql.breakout-union", STRONG, r"{b}\)*;?U(?:\(*[AS]|[wta]?$)|{b}\)*S[wt]?$|{b}\)*\(*SA"),
    ("sql.breakout-comparison", STRONG, r"{s}\)*!?(?:[cEg][a!(]*(?:[sqN]|\(S|[fmMz]\()|[cE]v|l[a!(]*[sq(]|j!?N)"),
    ("sql.breakout-comparison", SIGNAL, r"{b}\)*!?(?:[cEg][a!(]*n|l!?n|j!?\()"),
    ("sql.breakout-arithmetic", STRONG, r"{s}\)*[a*O]+[(]*(?:\(?S|[mMz]\()|{s}\)*[zM]\(|{s}\)*[cEga*lj][a!(]*n\)*;?C"),
    ("sql.breakout-arithmetic", STRONG, r"{s}\)*[a*]n(?:[cE]|[jl]!?(?:[fmM]\(|[N(]))"),
    ("sql.breakout-arithmetic", SIGNAL, r"{b}\)*[a*O][a!(]*(?:[sq]|n\)*(?:$|[;Ca*oc]))"),
    ("sql.breakout-clause", STRONG, r"{b}\)*(?:H{v}[cEg]|Gyn|Gy[wf][^tw]*[C;]|L[nv]|W{v}[cEg]|T[mf]\(|Iv)"),
    ("sql.breakout-clause", SIGNAL, r"{b}\)*(?:H{v}|Gyw)"),
    ("sql.breakout-list", STRONG, r"{s}\)*,[a(]*(?:\(?S|[mMz]\()|{s}\)*,(?:{l},?)+\)*[;C]"),
    ("sql.breakout-statement", STRONG, r"{b}\)*;[;(]*(?:[SDiud]|X[wvsX])"),
    ("sql.breakout-statement", SIGNAL, r"{b}\)*;[;(]*X|{b}\)*S[*nsvNfm(]"),
    ("sql.breakout-statement", STRONG, r"{b}\)*;[^;]*S[*nsvNf(m]"),
    ("sql.breakout-comment", STRONG, r"{s}wC$|{s}\)*[oO]$"),
    ("sql.breakout-parenthesis", HINT, r"{b}\)+"),
];

/// In the text itself: names that mean one thing.
#[rustfmt::skip]
const WORDS: &[Pattern] = &[
    ("sql.fragment", STRONG, r#"\bfrom\s+[`\x22\[]information_schema|\bas\s+['"`]\S+['"`]\s+from\b|^\W*\w{0,12}\s*\bas['"`]?\s+from\W*$|^\W*\)\s*(?:like|in|or|and)\s*\(\W*$|\bselect\b[^;]*\b(?:user|database|version|schema|db_name)\((?:\)|\W*$)|^\W*(?:db_name|schema_name|suser_name|object_name)\s*\("#),
    ("sql.fragment", STRONG, r"\d\.e\s*[(.]\s*[a-z)]|^[^\s'\x22`]+['\x22`]\s*(?:/\*[^*]*\*/\s*)*;\s*$|\bselect\s+(?:if|iif|ifnull|case|sleep)\s*\("),
    ("sql.alter", STRONG, r"\balter\s+table\s+\S+\s+(?:add|drop|change|modify|rename|alter)\b|\b(?:alter|create)\s+(?:table|database|schema)\b[^;]*\bcharacter\s+set\b|\bcreate\s+(?:or\s+replace\s+)?function\b[^;]*\b(?:returns|soname|language)\b"),
    ("sql.full-text", STRONG, r"\bmatch\b[^;]*\bagainst\s*\(|\bmerge\b[^;]*\busing\s*\("),
    ("sql.document", SIGNAL, r"\bjson_(?:extract|depth|length|valid|keys|contains\w*|array|object|value|query|search|type)\s*\(|::(?:\s|/\*[^*]*\*/)*jsonb?\b"),
    ("sql.document", STRONG, r#"(?:['"}]|jsonb?)(?:\s|/\*[^*]*\*/)*(?:@>|<@|->>?|#>>?|\?[|&])(?:\s|/\*[^*]*\*/)*['"{]"#),
    ("sql.lock", STRONG, r"\buser_lock\s*\.\s*sleep\b|;\s*call\s+\w+\s*\(|\bshutdown\s+with\b"),
    ("sql.fragment", STRONG, r"^\s*[)`'\x22;]+\s*as\s+\S+\s+from\s*$|\bfrom(?:\s|/\*[^*]*\*/)+information_schema\s*\.|\bexec(?:ute)?\s+master\s*\.|^\W*(?:select\W+)?(?:database|schema|char|chr|user|load_file|pg_sleep|benchmark|version|concat)\s*\(\W*$|^\W*exec\s+(?:sp|xp)\b|\bselect\w*\s+(?:user|database|version|pg_sleep|load_file|benchmark)\s*(?:\(|$)"),
    ("sql.fragment", STRONG, r"^\W*(?:create|drop|alter|truncate)\s+table\s+(?:if\s+(?:not\s+)?exists\s+)?[\w.`\x22\[]+\W*$|^\W*(?:information_schema|pg_catalog|sqlite_master|msysobjects|sysobjects)\W*$"),
    ("sql.fragment", STRONG, r"^\W*(?:current_database|database|user|version|current_user|session_user|system_user|schema|now)\s*\(\s*\)\W*$"),
    ("sql.lone-operator", STRONG, r"^\W{0,2}\w{0,16}['\x22`]\s*[-+*/^&|%=<>!]{1,2}\s*['\x22`]\s*\w{0,4}$|^\W{0,2}\w{0,8}`\s+(?:rlike|regexp|union)\b|^\W*print\s+@@"),
    ("sql.script", STRONG, r#"['"]\s*;\s*return\s+(?:true|false|1|!|this)|['"]\s*;?\s*\bdb\s*\.\s*\w+\s*\.\s*\w+\s*\(|^[^\n]{0,40}['"]\s*(?:\|\||&&)\s*this\s*\.|\bdo\s*\{[^}]*new\s+date[^}]*\}\s*while"#),
    ("sql.waitfor", STRONG, r#"waitfor\s+(?:delay|time)\s*['"(@]"#),
    ("sql.procedure", STRONG, r"\bxp_(?:cmdshell|reg[a-z]+|dirtree|fileexist|subdirs|servicecontrol|availablemedia|enumdsn|loginconfig|makecab|ntsec|terminate)\b"),
    ("sql.procedure", STRONG, r"\bsp_(?:executesql|oacreate|oamethod|password|makewebtask|addextendedproc|addlogin|addsrvrolemember|configure|sqlexec|helpdb|prepare)\b"),
    ("sql.procedure", STRONG, r"\bprocedure\s+analyse\s*\("),
    ("sql.catalogue", SIGNAL, r"\binformation_schema\b|\bsqlite_(?:temp_)?master\b|\bpg_catalog\b|\bpg_(?:shadow|user|database|tables|class|authid|stat_activity|roles)\b|\bsys(?:objects|columns|databases|users|logins|tables)\b|\bmsys(?:objects|aces|queries)\b|\ball_tab(?:les|_columns)\b|\buser_tab(?:les|_columns)\b|\bmysql\.(?:user|db|innodb|host)\b|\bv\$version\b|\bmaster\.\.[a-z]"),
    ("sql.catalogue-column", SIGNAL, r"\b(?:table_schema|table_name|column_name|schema_name|schemata)\b[\s,.)=]"),
    ("sql.server-variable", STRONG, r"@@(?:version|hostname|datadir|basedir|global\b|session\b|servername|language|spid|secure_file_priv|innodb|tmpdir|plugin|log_error|port\b|identity)"),
    ("sql.file", STRONG, r"\binto\s+(?:outfile|dumpfile)\b|\bload\s+data\s+(?:low_priority\s+|concurrent\s+|local\s+)*infile\b|\bcopy\s+[\w(][^;]*\b(?:from|to)\s+program\b|\bcopy\s*\(\s*select"),
    ("sql.package", STRONG, r"\bdbms_(?:pipe|lock|session|xmlgen|ldap|assert|scheduler|java|utility|xmlquery|export_extension)\.|\butl_(?:http|inaddr|smtp|file|tcp)\.|\bctxsys\.|\bsys\.(?:fn_|database_name|stragg|all_)|\bmaster\.(?:\.[a-z]|dbo)|\bxmltype\s*\(\s*\(|\bhttpuritype\s*\("),
    ("sql.error-function", STRONG, r"\bfloor\s*\(\s*rand\s*\(|\bexp\s*\(\s*~|\bconcat(?:_ws)?\s*\(\s*(?:0x|@@|char\s*\(|chr\s*\(|\(\s*select)|\bconvert\s*\(\s*int\s*,"),
    ("sql.characters", STRONG, r"\bcha?r\s*\(\s*\d+\s*\)\s*(?:\|\||\+)\s*cha?r\s*\(|\bchar\s*\(\s*(?:0x[0-9a-f]+|\d+)\s*(?:,\s*(?:0x[0-9a-f]+|\d+)\s*){2,}\)"),
    ("sql.probe", STRONG, r"\b(?:ascii|ord|hex|length|lower|unicode)\s*\(\s*\(?\s*(?:substr|substring|mid|left|right|user\s*\(|database\s*\(|version\s*\(|current_user|select\b)"),
    ("sql.probe", STRONG, r"\b(?:substr|substring|mid|left|right)\s*\(\s*\(?\s*(?:select\b|@@|user\s*\(|database\s*\(|version\s*\(|current_(?:user|database)|load_file)"),
    ("sql.identity", SIGNAL, r"\b(?:database|version|user|current_user|session_user|system_user|schema)\s*\(\s*\)"),
    ("sql.table", SIGNAL, r"\bselect\b[\s\w.,*()'|+:]+\bfrom\s+[`\x22\[]?(?:users?|members?|accounts?|admins?|customers?|passwords?|credentials|logins?|dual|tbl_?\w+|information_schema|pg_\w+|sys\w*|mysql)\b"),
    ("sql.regular-expression", STRONG, r#"\b(?:r?like|regexp)\s+\(?\s*\(\s*(?:select|case)\b|\bregexp\s+(?:binary\s+)?['"]\^"#),
    ("sql.time", STRONG, r"\b(?:if|iif|elt)\s*\([^;{}]*\b(?:sleep|benchmark|pg_sleep|randomblob|dbms_\w+)\s*[.(]|\bcase\s+when\b[^;{}]*\b(?:sleep|benchmark|pg_sleep|randomblob|dbms_\w+)\s*[.(]"),
    ("sql.quoted-code", STRONG, r"\b(?:execute\s+immediate|exec(?:ute)?\s*\(\s*(?:['@]|char|0x)|declare\s+@\w+|set\s+@\w+\s*=|prepare\s+\w+\s+from\b)"),
    ("sql.handler", STRONG, r"\bhandler\s+[\w.`]+\s+(?:open|read)\b"),
    ("sql.document-operator", STRONG, r#"\[\s*['"]?\$(?:ne|eq|gte?|lte?|nin|in|or|and|nor|not|where|regex|exists|all|size|type|mod|elemmatch|expr)['"]?\s*\]|[{,]\s*['"]?\$(?:ne|eq|gte?|lte?|nin|in|or|and|nor|not|where|regex|exists|all|size|type|mod|elemmatch|expr)['"]?\s*:|^\$(?:ne|eq|gte?|lte?|nin|in|or|and|nor|not|where|regex|exists|all|size|type|mod|elemmatch|expr)$"#),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_rule_is_named_after_its_class() {
        let rules: BTreeSet<&str> =
            [LETTERS, BEHIND_QUOTE, WORDS].concat().iter().map(|pattern| pattern.0).collect();
        assert!(rules.iter().all(|rule| rule.starts_with("sql.")), "{rules:?}");
    }
}
