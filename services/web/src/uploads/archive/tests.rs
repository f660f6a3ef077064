//! Archives as programs write them, and as people who mean harm do.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::*;

const LIMITS: ArchiveLimits = ArchiveLimits { entries_max: 50, bytes_max: 64 << 20, ratio_max: 100 };

/// An archive that is being written.
#[derive(Default)]
struct Zip {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    count: u16,
}

impl Zip {
    /// A document of the kind Word writes.
    fn document() -> Self {
        Self::default().deflated("[Content_Types].xml", b"<Types/>").deflated("word/document.xml", b"<w/>")
    }

    fn deflated(self, name: &str, content: &[u8]) -> Self {
        let mut writer = DeflateEncoder::new(Vec::new(), Compression::best());
        writer.write_all(content).unwrap();
        let packed = writer.finish().unwrap();
        self.entry(name, 8, &packed, u32::try_from(content.len()).unwrap())
    }

    fn stored(self, name: &str, content: &[u8]) -> Self {
        self.entry(name, 0, content, u32::try_from(content.len()).unwrap())
    }

    fn entry(mut self, name: &str, method: u16, packed: &[u8], unpacked: u32) -> Self {
        let at = u32::try_from(self.bytes.len()).unwrap();
        self.bytes.extend_from_slice(LOCAL);
        let common = common(name, method, packed, unpacked);
        self.bytes.extend_from_slice(&common);
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(packed);
        self.list(name, &common, at)
    }

    /// Adds an entry to the directory alone; its content is elsewhere.
    fn listed(self, name: &str, unpacked: u32, at: u32) -> Self {
        let length = if unpacked < 100 { vec![0; usize::try_from(unpacked).unwrap()] } else { Vec::new() };
        let method = if length.is_empty() { 8 } else { 0 };
        self.list(name, &common(name, method, &length, unpacked), at)
    }

    fn list(mut self, name: &str, common: &[u8], at: u32) -> Self {
        self.directory.extend_from_slice(CENTRAL);
        self.directory.extend_from_slice(&20_u16.to_le_bytes());
        self.directory.extend_from_slice(common);
        self.directory.extend_from_slice(&[0; 10]);
        self.directory.extend_from_slice(&at.to_le_bytes());
        self.directory.extend_from_slice(name.as_bytes());
        self.count += 1;
        self
    }

    fn finish(mut self) -> Vec<u8> {
        let begin = u32::try_from(self.bytes.len()).unwrap();
        self.bytes.extend_from_slice(&self.directory);
        self.bytes.extend_from_slice(END);
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(&self.count.to_le_bytes());
        self.bytes.extend_from_slice(&self.count.to_le_bytes());
        self.bytes.extend_from_slice(&u32::try_from(self.directory.len()).unwrap().to_le_bytes());
        self.bytes.extend_from_slice(&begin.to_le_bytes());
        self.bytes.extend_from_slice(&[0; 2]);
        self.bytes
    }

    fn judged(self) -> Result<(), Reason> {
        examine(Kind::Docx, &self.finish(), LIMITS)
    }
}

/// What local header and directory share, from the version on.
fn common(name: &str, method: u16, packed: &[u8], unpacked: u32) -> Vec<u8> {
    let mut bytes = 20_u16.to_le_bytes().to_vec();
    bytes.extend_from_slice(&[0; 2]);
    bytes.extend_from_slice(&method.to_le_bytes());
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(&u32::try_from(packed.len()).unwrap().to_le_bytes());
    bytes.extend_from_slice(&unpacked.to_le_bytes());
    bytes.extend_from_slice(&u16::try_from(name.len()).unwrap().to_le_bytes());
    bytes.extend_from_slice(&[0; 2]);
    bytes
}

#[test]
fn a_document_is_what_its_entries_say() {
    assert_eq!(Zip::document().judged(), Ok(()));
    let document = Zip::document().finish();
    assert_eq!(examine(Kind::Xlsx, &document, LIMITS), Err(Reason::NotWhatItSays));
    let open = Zip::default().stored("mimetype", b"application/vnd.oasis.opendocument.text");
    let open = open.deflated("content.xml", b"<office/>").finish();
    assert_eq!(examine(Kind::Odt, &open, LIMITS), Ok(()));
    assert_eq!(examine(Kind::Ods, &open, LIMITS), Err(Reason::NotWhatItSays));
    assert_eq!(Zip::default().deflated("a.txt", b"a").judged(), Err(Reason::NotWhatItSays));
}

#[test]
fn an_entry_that_unpacks_to_very_much_is_a_bomb() {
    let zeros = vec![0_u8; 32 << 20];
    assert_eq!(Zip::document().deflated("word/media/a.bin", &zeros).judged(), Err(Reason::Bomb));
    let many = (0..60).fold(Zip::document(), |zip, number| zip.deflated(&format!("{number}"), b"x"));
    assert_eq!(many.judged(), Err(Reason::Bomb));
    let sums = Zip::document().listed("a", u32::MAX - 1, 0).listed("b", u32::MAX - 1, 0);
    assert_eq!(sums.judged(), Err(Reason::Bomb));
}

#[test]
fn an_entry_that_announces_less_than_it_unpacks_to_is_a_bomb() {
    let mut writer = DeflateEncoder::new(Vec::new(), Compression::best());
    writer.write_all(&vec![0_u8; 1 << 20]).unwrap();
    let packed = writer.finish().unwrap();
    assert_eq!(Zip::document().entry("word/a.xml", 8, &packed, 100).judged(), Err(Reason::Bomb));
}

#[test]
fn entries_that_share_their_bytes_are_a_bomb() {
    let zip = Zip::document();
    let at = u32::try_from(zip.bytes.len()).unwrap();
    let zip = zip.stored("word/a.xml", b"shared").listed("word/a.xml", 6, at);
    assert_eq!(zip.judged(), Err(Reason::Bomb));
}

#[test]
fn archives_programs_and_macros_inside_are_refused_by_name_and_by_bytes() {
    let inner = Zip::document().finish();
    for (name, content) in [
        ("word/embeddings/a.zip", &b"x"[..]),
        ("word/vbaProject.bin", b"x"),
        ("word/media/image1.png", &inner),
        ("word/media/image1.png", b"MZ\x90"),
        ("../../evil.xml", b"x"),
        ("/etc/evil", b"x"),
    ] {
        assert_eq!(Zip::document().deflated(name, content).judged(), Err(Reason::Nested), "{name}");
        assert_eq!(Zip::document().stored(name, content).judged(), Err(Reason::Nested), "{name}");
    }
}

#[test]
fn a_second_file_before_or_behind_the_archive_is_found() {
    let document = Zip::document().finish();
    for polyglot in [[&b"%PDF-1.7 "[..], &document].concat(), [&document[..], b"<script>"].concat()] {
        assert_eq!(examine(Kind::Docx, &polyglot, LIMITS), Err(Reason::Polyglot));
    }
}

#[test]
fn an_encrypted_document_cannot_be_looked_into() {
    let mut document = Zip::document().finish();
    let central = document.windows(4).position(|window| window == CENTRAL).unwrap();
    document[central + 8] = 1;
    assert_eq!(examine(Kind::Docx, &document, LIMITS), Err(Reason::Encrypted));
}

#[test]
fn no_cut_and_no_changed_byte_makes_it_panic_and_no_cut_passes() {
    let document = Zip::document().deflated("word/media/a.xml", b"hello hello hello").finish();
    for end in 0..document.len() {
        assert!(examine(Kind::Docx, &document[..end], LIMITS).is_err(), "cut at {end}");
    }
    for at in 0..document.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut changed = document.clone();
            changed[at] = value;
            let _outcome = examine(Kind::Docx, &changed, LIMITS);
        }
    }
}
