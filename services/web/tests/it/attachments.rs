//! Files at tickets: what is taken, what is kept of it, who gets it, and what is refused.

use std::io::Cursor;

use api::Identity;
use domain::{AttachmentId, Capability, TicketId};
use image::{ImageFormat, Rgb, RgbImage};
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use testkit::Database;

use crate::harness::{self, Tenant, Web, pointers};
use crate::scanner::FakeScanner;

const BOUNDARY: &str = "----the-end-of-a-part";
const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
const PDF: &[u8] = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n";

/// One file as a browser sends it.
struct Sent<'a> {
    name: &'a str,
    kind: &'a str,
    bytes: &'a [u8],
}

const fn sent<'a>(name: &'a str, kind: &'a str, bytes: &'a [u8]) -> Sent<'a> {
    Sent { name, kind, bytes }
}

impl Sent<'_> {
    fn body(&self, fields: &[(&str, &str)]) -> Vec<u8> {
        let mut body = Vec::new();
        for (name, value) in fields {
            let head =
                format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend_from_slice(head.as_bytes());
        }
        let head = format!(
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{}\"\r\ncontent-type: {}\r\n\r\n",
            self.name, self.kind
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(self.bytes);
        body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        body
    }
}

fn multipart(request: RequestBuilder, body: Vec<u8>) -> RequestBuilder {
    request.header("content-type", format!("multipart/form-data; boundary={BOUNDARY}")).body(body)
}

/// A running web with a tenant, a ticket of theirs, and a folder of its own.
struct Ground {
    web: Web,
    tenant: Tenant,
    ticket: TicketId,
    folder: std::path::PathBuf,
}

impl Ground {
    async fn lay(pairs: &[(&str, &str)]) -> Self {
        let folder = std::env::temp_dir().join(format!("youtility-files-{}", AttachmentId::generate()));
        let own = ("FILES__FOLDER", folder.to_str().unwrap());
        let web = Web::start_with(Database::create().await, &[&[own], pairs].concat()).await;
        let tenant = web.tenant("ACME").await;
        let ticket = web.db.ticket(tenant.client, tenant.site).await;
        Self { web, tenant, ticket, folder }
    }

    fn address(&self) -> String {
        format!("/api/v1/tickets/{}/attachments", self.ticket)
    }

    fn upload(&self, file: &Sent<'_>, who: &Identity) -> RequestBuilder {
        multipart(self.web.ask(Method::POST, &self.address(), Some(who)), file.body(&[]))
    }

    async fn send(&self, file: &Sent<'_>) -> (StatusCode, Value) {
        harness::json(self.upload(file, &self.tenant.somebody()).send().await.unwrap()).await
    }

    /// The words of a refusal.
    async fn refusal(&self, file: &Sent<'_>) -> String {
        let (status, problem) = self.send(file).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
        assert_eq!(problem["type"], "/problems/upload-refused");
        assert_eq!(pointers(&problem), ["/file"]);
        problem["errors"][0]["detail"].as_str().unwrap().to_owned()
    }

    async fn fetch(&self, path: &str, who: &Identity) -> (StatusCode, HeaderMap, Vec<u8>) {
        let answer = self.web.ask(Method::GET, path, Some(who)).send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        (status, headers, answer.bytes().await.unwrap().to_vec())
    }

    /// Files that exist on disk, in quarantine and kept.
    fn on_disk(&self) -> usize {
        let folders = std::fs::read_dir(&self.folder).unwrap();
        folders.map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap().count()).sum()
    }

    /// No row, no byte.
    async fn is_untouched(&self) {
        assert_eq!(self.web.count("select count(*) from ticket_attachment").await, 0);
        assert_eq!(self.on_disk(), 0);
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    RgbImage::from_pixel(width, height, Rgb([200, 30, 30]))
        .write_to(&mut Cursor::new(&mut bytes), format)
        .unwrap();
    bytes
}

/// A document of one entry more, which unpacks to so many zeros.
fn document(zeros: usize) -> Vec<u8> {
    use std::io::Write;
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in [
        ("[Content_Types].xml", vec![b' '; 9]),
        ("word/document.xml", vec![b' '; 9]),
        ("word/a.xml", vec![0; zeros]),
    ] {
        let mut writer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        writer.write_all(&content).unwrap();
        let packed = writer.finish().unwrap();
        let at = u32::try_from(bytes.len()).unwrap();
        let mut common = vec![20, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        common.extend(u32::try_from(packed.len()).unwrap().to_le_bytes());
        common.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
        common.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        common.extend([0, 0]);
        bytes.extend([b"PK\x03\x04".to_vec(), common.clone(), name.as_bytes().to_vec(), packed].concat());
        let tail = [vec![0; 10], at.to_le_bytes().to_vec(), name.as_bytes().to_vec()].concat();
        directory.extend([b"PK\x01\x02\x14\0".to_vec(), common, tail].concat());
    }
    let begin = u32::try_from(bytes.len()).unwrap();
    let length = u32::try_from(directory.len()).unwrap();
    bytes.extend(directory);
    bytes.extend([b"PK\x05\x06\0\0\0\0\x03\0\x03\0".to_vec(), length.to_le_bytes().to_vec()].concat());
    bytes.extend([begin.to_le_bytes().to_vec(), vec![0; 2]].concat());
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_written_anew_listed_and_given_out_to_be_saved() {
    let ground = Ground::lay(&[]).await;
    let mut bytes = picture(8, 6, ImageFormat::Jpeg);
    bytes.extend_from_slice(b"<script>alert(1)</script>");
    let (status, file) = ground.send(&sent("..\\..\\Leck \u{fc}ber.jpg", "image/jpeg", &bytes)).await;
    assert_eq!(status, StatusCode::CREATED, "{file}");
    assert_eq!(file["file_name"], "Leck \u{fc}ber.jpg");
    assert_eq!(file["media_type"], "image/jpeg");
    assert_eq!(file["created_by"], "Asha Patil");
    let (_, listed) = ground.web.get(&ground.address(), &ground.tenant.somebody()).await;
    assert_eq!(listed, json!({"attachments": [file]}));
    let id = file["id"].as_str().unwrap();
    for path in [format!("/files/{id}"), format!("/api/v1/attachments/{id}")] {
        let (status, headers, kept) = ground.fetch(&path, &ground.tenant.somebody()).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(i64::try_from(kept.len()).unwrap(), file["size_bytes"].as_i64().unwrap());
        assert!(!kept.windows(8).any(|window| window == b"<script>"), "what was behind the picture is gone");
        assert_eq!(image::load_from_memory(&kept).unwrap().width(), 8);
        for (name, value) in [
            ("content-type", "image/jpeg"),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "sandbox; default-src 'none'; frame-ancestors 'none'"),
            (
                "content-disposition",
                "attachment; filename=\"Leck _ber.jpg\"; filename*=UTF-8''Leck%20%C3%BCber.jpg",
            ),
            ("cache-control", "private, no-store"),
        ] {
            assert_eq!(headers[name], value, "{name}");
        }
    }
    let added = "select count(*) from audit_event where action = 'attachment_added' and subject_kind = 'ticket_attachment'";
    assert_eq!(ground.web.count(added).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_and_texts_are_kept_as_they_came() {
    let ground = Ground::lay(&[]).await;
    let office = document(10);
    for file in [
        sent("plan.pdf", "application/pdf", PDF),
        sent("plan.docx", DOCX, &office),
        sent("list.csv", "text/csv", b"a;b\r\n1;2\r\n"),
    ] {
        let (status, answer) = ground.send(&file).await;
        assert_eq!(status, StatusCode::CREATED, "{} {answer}", file.name);
        let path = format!("/files/{}", answer["id"].as_str().unwrap());
        let (_, headers, kept) = ground.fetch(&path, &ground.tenant.somebody()).await;
        assert_eq!((headers["content-type"].to_str().unwrap(), kept.as_slice()), (file.kind, file.bytes));
    }
    assert_eq!(ground.on_disk(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_name_type_and_bytes_do_not_agree_is_refused_and_logged() {
    let ground = Ground::lay(&[]).await;
    let png = picture(4, 4, ImageFormat::Png);
    let both = [PDF, b"PK\x05\x06"].concat();
    for (file, words) in [
        (sent("a.svg", "image/svg+xml", b"<svg onload=alert(1)>"), "Choose a picture (JPEG"),
        (sent("a.html", "text/html", b"<script>"), "Choose a picture (JPEG"),
        (sent("a.jpg.exe", "image/jpeg", &png), "Choose a picture (JPEG"),
        (sent("a.jpg", "image/jpeg", &png), "what its name says"),
        (sent("a.png", "image/jpeg", &png), "Send a file of this name as image/png."),
        (sent("a.png", "image/png", PDF), "what its name says"),
        (sent("a.pdf", "application/pdf", &png), "what its name says"),
        (sent("a.pdf", "application/pdf", &both), "two kinds of file at once"),
        (
            sent("a.docx", DOCX, b"PK\x03\x04 and nothing else that is an archive"),
            "two kinds of file at once",
        ),
        (sent("a.txt", "text/plain", b"MZ\x90\0\x03\0"), "what its name says"),
        (sent("a.png", "image/png", &png[..60]), "damaged"),
        (sent("a.txt", "text/plain", b""), "not empty"),
    ] {
        let said = ground.refusal(&file).await;
        assert!(said.contains(words), "{}: {said}", file.name);
    }
    ground.is_untouched().await;
    let logged = "select count(*) from security_event where kind = 'upload_refused' and person_id is not null
        and address = '192.0.2.7' and route = '/api/v1/tickets/{id}/attachments'";
    assert_eq!(ground.web.count(logged).await, 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_with_too_many_pixels_and_a_document_that_unpacks_to_too_much_are_refused() {
    let ground = Ground::lay(&[("FILES__IMAGE_PIXELS_MAX", "1000000")]).await;
    let large = picture(1001, 1000, ImageFormat::Png);
    assert!(large.len() < 20_000, "few bytes, many pixels");
    let said = ground.refusal(&sent("a.png", "image/png", &large)).await;
    assert!(said.contains("at most 1 megapixels"), "{said}");
    let bomb = document(64 << 20);
    assert!(bomb.len() < 100_000, "few bytes, many unpacked");
    let said = ground.refusal(&sent("a.docx", DOCX, &bomb)).await;
    assert!(said.contains("unpacks to more than is taken"), "{said}");
    ground.is_untouched().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_too_large_is_refused_while_it_arrives_whether_announced_or_not() {
    let ground = Ground::lay(&[("FILES__OTHER_BYTES_MAX", "100000")]).await;
    let text = vec![b'a'; 100_001];
    let said = ground.refusal(&sent("a.txt", "text/plain", &text)).await;
    assert_eq!(said, "Choose a file of at most 97.6 KiB.");
    let body = sent("a.txt", "text/plain", &vec![b'a'; 3_000_000]).body(&[]);
    let pieces: Vec<Result<Vec<u8>, std::io::Error>> =
        body.chunks(10_000).map(|piece| Ok(piece.to_vec())).collect();
    let chunked = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
    let request = ground.web.ask(Method::POST, &ground.address(), Some(&ground.tenant.somebody()));
    let request = request.header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"));
    let answer = request.body(chunked).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    ground.is_untouched().await;
    let (status, _) = ground.send(&sent("a.txt", "text/plain", &text[..100_000])).await;
    assert_eq!(status, StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_a_reader_another_tenant_and_another_site_neither_add_nor_get_files() {
    let ground = Ground::lay(&[]).await;
    let (_, file) = ground.send(&sent("plan.pdf", "application/pdf", PDF)).await;
    let id = file["id"].as_str().unwrap().to_owned();
    let annex = ground.web.db.site(ground.tenant.client, "ANNEX").await;
    let other = ground.web.tenant("OTHER").await.somebody();
    let (reader, elsewhere) =
        (ground.tenant.with(&[Capability::Web, Capability::TicketsRead]), ground.tenant.at(&[annex]));
    for (who, to_add, to_get, to_remove) in [
        (None, 401, 401, 401),
        (Some(&reader), 403, 200, 403),
        (Some(&other), 404, 404, 404),
        (Some(&elsewhere), 404, 404, 404),
    ] {
        let request = ground.web.ask(Method::POST, &ground.address(), who);
        let add = multipart(request, sent("b.pdf", "application/pdf", PDF).body(&[])).send().await.unwrap();
        assert_eq!(add.status(), to_add, "{who:?}");
        for path in [format!("/files/{id}"), format!("/api/v1/attachments/{id}")] {
            let get = ground.web.ask(Method::GET, &path, who).send().await.unwrap();
            assert_eq!(get.status(), to_get, "{who:?} {path}");
        }
        let remove =
            ground.web.ask(Method::DELETE, &format!("/api/v1/attachments/{id}"), who).send().await.unwrap();
        assert_eq!(remove.status(), to_remove, "{who:?}");
    }
    assert_eq!(ground.web.count("select count(*) from ticket_attachment").await, 1);
    assert_eq!(ground.on_disk(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_added_a_file_and_who_administers_take_it_away_and_nobody_else() {
    let ground = Ground::lay(&[]).await;
    let (_, file) = ground.send(&sent("plan.pdf", "application/pdf", PDF)).await;
    let path = format!("/api/v1/attachments/{}", file["id"].as_str().unwrap());
    let writer = [Capability::Web, Capability::TicketsRead, Capability::TicketsWrite];
    let ben = ground.web.db.person(ground.tenant.client, "ben").await;
    let colleague = testkit::identity::of(ground.tenant.client, ben, &writer);
    let refused = ground.web.ask(Method::DELETE, &path, Some(&colleague)).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let author = ground.tenant.with(&writer);
    let removed = ground.web.ask(Method::DELETE, &path, Some(&author)).send().await.unwrap();
    assert_eq!(removed.status(), StatusCode::NO_CONTENT);
    assert_eq!(ground.fetch(&path, &author).await.0, StatusCode::NOT_FOUND);
    ground.is_untouched().await;
    assert_eq!(
        ground.web.count("select count(*) from audit_event where action = 'attachment_removed'").await,
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sent_twice_with_the_same_key_it_is_there_once() {
    let ground = Ground::lay(&[("FILES__PER_TICKET_MAX", "2")]).await;
    let key = AttachmentId::generate().to_string();
    let file = sent("plan.pdf", "application/pdf", PDF);
    let mut answers = Vec::new();
    for _ in 0..2 {
        let request = ground.upload(&file, &ground.tenant.somebody()).header("idempotency-key", &key);
        answers.push(request.send().await.unwrap().status());
        assert_eq!(ground.on_disk(), 1);
    }
    assert_eq!(answers, [StatusCode::CREATED, StatusCode::CREATED]);
    assert_eq!(ground.send(&file).await.0, StatusCode::CREATED);
    let said = ground.refusal(&file).await;
    assert!(said.contains("as many as it takes"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_takes_a_file_without_scripts_and_says_why_it_does_not() {
    let ground = Ground::lay(&[]).await;
    let somebody = ground.tenant.somebody();
    let address = format!("/tickets/{}/attachments", ground.ticket);
    let (_, page) = ground.web.page(&format!("/tickets/{}", ground.ticket), &somebody).await;
    assert!(page.contains(&format!("action=\"{address}\" enctype=\"multipart/form-data\"")), "{page}");
    let key = AttachmentId::generate().to_string();
    let post = |file: &Sent<'_>, fields: &[(&str, &str)]| {
        let request = ground.web.ask(Method::POST, &address, Some(&somebody)).header("accept", "text/html");
        multipart(request, file.body(fields)).send()
    };
    let good = sent("plan.pdf", "application/pdf", PDF);
    for fields in [&[("key", key.as_str())][..], &[("csrf_token", "d3Jvbmc"), ("key", key.as_str())]] {
        assert_eq!(post(&good, fields).await.unwrap().status(), StatusCode::BAD_REQUEST);
    }
    ground.is_untouched().await;
    let fields = [("csrf_token", "dG9rZW4"), ("key", key.as_str())];
    let added = post(&good, &fields).await.unwrap();
    assert_eq!(added.status(), StatusCode::SEE_OTHER);
    assert_eq!(harness::location(&added), format!("/tickets/{}#files", ground.ticket));
    let (status, page) =
        harness::text(post(&sent("a.pdf", "application/pdf", b"no"), &fields).await.unwrap()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("Choose a file that is what its name says"), "{page}");
    assert!(page.contains(&format!("href=\"/files/{key}\" download>plan.pdf</a>")), "{page}");
    let removal = format!("/tickets/{}/attachments/{key}/removal", ground.ticket);
    assert!(page.contains(&format!("action=\"{removal}\"")));
    let removed = ground.web.submit(&removal, &somebody, &[("csrf_token", "dG9rZW4")]).await;
    assert_eq!(removed.status(), StatusCode::SEE_OTHER);
    ground.is_untouched().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_upload_is_refused() {
    let ground = Ground::lay(&[]).await;
    let somebody = ground.tenant.somebody();
    let ask = || ground.web.ask(Method::POST, &ground.address(), Some(&somebody));
    let json = ask().json(&json!({})).send().await.unwrap();
    assert_eq!(json.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let file = sent("a.pdf", "application/pdf", PDF);
    let cut = file.body(&[]);
    for body in [
        b"no part at all".to_vec(),
        format!("--{BOUNDARY}--\r\n").into_bytes(),
        file.body(&[("other", "1")]),
        file.body(&[("key", "no-uuid")]),
        file.body(&[("key", &"x".repeat(2_000))]),
        cut[..cut.len() - 30].to_vec(),
    ] {
        let answer = multipart(ask(), body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    }
    ground.is_untouched().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_scanner_finds_is_refused_and_the_rest_passes() {
    let scanner = FakeScanner::start().await;
    let ground =
        Ground::lay(&[("FILES__SCANNER", &scanner.address), ("FILES__SCANNER_REQUIRED", "true")]).await;
    let (status, _) = ground.send(&sent("a.txt", "text/plain", b"all is well")).await;
    assert_eq!(status, StatusCode::CREATED);
    let long = [&vec![b'x'; 200_000][..], b"EICAR"].concat();
    let said = ground.refusal(&sent("b.txt", "text/plain", &long)).await;
    assert!(said.contains("something harmful"), "{said}");
    assert_eq!(ground.on_disk(), 1);
    assert_eq!(scanner.seen(), [11, 200_005], "each was sent whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_scanners_word_nothing_is_taken_where_it_is_required() {
    let nobody = FakeScanner::nobody().await;
    let required = [("FILES__SCANNER", nobody.as_str()), ("FILES__SCANNER_REQUIRED", "true")];
    let ground = Ground::lay(&required).await;
    let (status, problem) = ground.send(&sent("a.txt", "text/plain", b"all is well")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(problem["type"], "/problems/scanner-unavailable");
    ground.is_untouched().await;
    let relaxed = Ground::lay(&required[..1]).await;
    assert_eq!(relaxed.send(&sent("a.txt", "text/plain", b"all is well")).await.0, StatusCode::CREATED);
}
