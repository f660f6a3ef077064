//! Words of SQL and the letters they become.

/// How a word is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// As a name or keyword.
    Name,
    /// With a parenthesis behind it.
    Call,
}

/// Returns the letter of a word.
///
/// | letter | words | letter | words |
/// |---|---|---|---|
/// | `o` | or, and, xor | `U` | union, except, intersect |
/// | `!` | not | `A` | all, distinct, top |
/// | `l` | like, regexp, between, sounds, … | `S` | select |
/// | `j` | is, in | `F` | from |
/// | `N` | null, true, false | `W` | where, on |
/// | `k` | case, when, then, end | `H` | having |
/// | `z` | a call of sleep | `G` | order, group (with `y` for by) |
/// | `M` | calls that only attacks make | `L` | limit, offset |
/// | `m` | calls that probe | `I` | into |
/// | `f`, `w` | other calls, other words | | |
/// | `D` | drop, alter, create, truncate | `T` | table, database, view, … |
/// | `i` | insert, replace | `X` | exec, declare, shutdown, waitfor, … |
/// | `u` | update | `e` | set, values |
/// | `d` | delete | `t` | articles and other words of prose |
pub(crate) fn letter(word: &[u8], usage: Use) -> u8 {
    match word {
        b"or" | b"and" | b"xor" => b'o',
        b"not" => b'!',
        b"like" | b"rlike" | b"ilike" | b"regexp" | b"between" | b"sounds" | b"glob" | b"similar"
        | b"div" | b"mod" => b'l',
        b"is" | b"in" | b"isnull" | b"notnull" => b'j',
        b"null" | b"true" | b"false" => b'N',
        b"case" | b"when" | b"then" | b"else" | b"end" => b'k',
        b"union" | b"except" | b"intersect" => b'U',
        b"all" | b"distinct" | b"distinctrow" | b"top" | b"temporary" | b"temp" => b'A',
        b"select" => b'S',
        b"from" => b'F',
        b"where" | b"on" => b'W',
        b"having" => b'H',
        b"order" | b"group" => b'G',
        b"by" => b'y',
        b"limit" | b"offset" => b'L',
        b"into" => b'I',
        b"drop" | b"alter" | b"create" | b"truncate" => b'D',
        b"table" | b"database" | b"schema" | b"view" | b"index" | b"trigger" | b"function" | b"procedure"
        | b"user" | b"role" | b"login" | b"column" | b"sequence" | b"extension" => {
            if usage == Use::Call {
                call(word, Use::Call)
            } else {
                b'T'
            }
        }
        b"insert" | b"replace" if usage == Use::Name => b'i',
        b"update" => b'u',
        b"delete" => b'd',
        b"set" | b"values" | b"value" => b'e',
        b"exec" | b"execute" | b"declare" | b"shutdown" | b"waitfor" | b"handler" | b"grant" | b"revoke"
        | b"backup" | b"restore" | b"deallocate" | b"openrowset" | b"dbcc" | b"reconfigure" | b"bulk"
        | b"vacuum" | b"attach" => {
            if usage == Use::Call {
                call(word, Use::Call)
            } else {
                b'X'
            }
        }
        b"the" | b"a" | b"an" | b"our" | b"your" | b"my" | b"his" | b"her" | b"their" | b"its" | b"this"
        | b"that" | b"these" | b"those" | b"one" | b"each" | b"any" | b"some" | b"it" | b"you" | b"to"
        | b"for" | b"of" | b"with" | b"at" | b"as" => b't',
        _ => call(word, usage),
    }
}

fn call(word: &[u8], usage: Use) -> u8 {
    match word {
        _ if usage == Use::Name => b'w',
        b"sleep" => b'z',
        _ if is_attack(word) => b'M',
        _ if is_probe(word) => b'm',
        _ => b'f',
    }
}

/// Functions that no value of an application calls: they delay, read files or put data into error messages.
pub(crate) fn is_attack(word: &[u8]) -> bool {
    matches!(
        word,
        b"benchmark"
            | b"pg_sleep"
            | b"pg_sleep_for"
            | b"pg_read_file"
            | b"pg_ls_dir"
            | b"lo_import"
            | b"lo_export"
            | b"extractvalue"
            | b"updatexml"
            | b"load_file"
            | b"load_extension"
            | b"group_concat"
            | b"xp_cmdshell"
            | b"sp_executesql"
            | b"randomblob"
            | b"make_set"
            | b"gtid_subset"
            | b"gtid_subtract"
            | b"name_const"
            | b"query_to_xml"
            | b"database_to_xml"
            | b"session_user"
            | b"system_user"
            | b"current_user"
            | b"last_insert_id"
            | b"row_count"
            | b"connection_id"
            | b"find_in_set"
            | b"openrowset"
            | b"opendatasource"
            | b"sqlite_version"
            | b"master_pos_wait"
            | b"get_lock"
    )
}

/// Functions that serve injection as often as programs.
fn is_probe(word: &[u8]) -> bool {
    matches!(
        word,
        b"substring"
            | b"substr"
            | b"mid"
            | b"ascii"
            | b"ord"
            | b"elt"
            | b"unhex"
            | b"bin"
            | b"char_length"
            | b"bit_length"
            | b"database"
            | b"user"
            | b"version"
            | b"exists"
            | b"ifnull"
            | b"nullif"
            | b"coalesce"
            | b"cast"
            | b"convert"
            | b"char"
            | b"chr"
            | b"concat"
            | b"concat_ws"
            | b"string_agg"
            | b"quote_literal"
            | b"generate_series"
            | b"json_keys"
            | b"polygon"
            | b"linestring"
            | b"multipoint"
            | b"geometrycollection"
            | b"rand"
            | b"if"
            | b"iif"
            | b"row"
    )
}
