//! Pictures are decoded and written anew: what else stands in the file is gone afterwards, where it was taken included.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::webp::WebPEncoder;
use image::{
    DynamicImage, ExtendedColorType, ImageDecoder, ImageError, ImageFormat, ImageReader, ImageResult, Limits,
};

use super::kind::Kind;
use super::refused::Reason;

/// Quality of JPEG, 1 to 100.
const QUALITY: u8 = 88;

/// Bytes a decoder may use for each pixel that is allowed: four channels of 16 bits.
const BYTES_PER_PIXEL: u64 = 8;

/// Bytes it may use beside, for tables of its own.
const BYTES_BESIDE: u64 = 16 << 20;

/// Decodes a picture of at most so many pixels, turns it upright, and writes it anew.
///
/// Its size is read and judged before anything is decoded.
pub(crate) fn rewrite(kind: Kind, bytes: &[u8], pixels_max: u64) -> Result<Vec<u8>, Reason> {
    let format = format_of(kind).ok_or(Reason::NotWhatItSays)?;
    let unreadable = |_error: ImageError| Reason::Unreadable;
    let mut decoder =
        ImageReader::with_format(Cursor::new(bytes), format).into_decoder().map_err(unreadable)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > pixels_max {
        return Err(Reason::TooManyPixels(pixels_max));
    }
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(pixels_max.saturating_mul(BYTES_PER_PIXEL).saturating_add(BYTES_BESIDE));
    decoder.set_limits(limits).map_err(unreadable)?;
    let orientation = decoder.orientation().map_err(unreadable)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    picture.apply_orientation(orientation);
    encode(kind, picture).map_err(unreadable)
}

fn format_of(kind: Kind) -> Option<ImageFormat> {
    match kind {
        Kind::Jpeg => Some(ImageFormat::Jpeg),
        Kind::Png => Some(ImageFormat::Png),
        Kind::Webp => Some(ImageFormat::WebP),
        Kind::Pdf | Kind::Docx | Kind::Xlsx | Kind::Pptx | Kind::Odt | Kind::Ods | Kind::Text | Kind::Csv => {
            None
        }
    }
}

fn encode(kind: Kind, picture: DynamicImage) -> ImageResult<Vec<u8>> {
    let mut written = Vec::new();
    match kind {
        Kind::Jpeg => {
            let picture = picture.into_rgb8();
            let (width, height) = picture.dimensions();
            JpegEncoder::new_with_quality(&mut written, QUALITY).encode(
                &picture,
                width,
                height,
                ExtendedColorType::Rgb8,
            )?;
        }
        Kind::Webp => {
            let picture = picture.into_rgba8();
            let (width, height) = picture.dimensions();
            WebPEncoder::new_lossless(&mut written).encode(
                &picture,
                width,
                height,
                ExtendedColorType::Rgba8,
            )?;
        }
        Kind::Png
        | Kind::Pdf
        | Kind::Docx
        | Kind::Xlsx
        | Kind::Pptx
        | Kind::Odt
        | Kind::Ods
        | Kind::Text
        | Kind::Csv => picture.write_with_encoder(PngEncoder::new(&mut written))?,
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use image::{GenericImageView, Rgb, RgbImage};

    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let picture = RgbImage::from_pixel(width, height, Rgb([200, 30, 30]));
        picture.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
        bytes
    }

    /// A JPEG of 40 × 20 whose EXIF says that it lies on its side and where it was taken.
    fn sideways() -> Vec<u8> {
        let mut plain = Vec::new();
        RgbImage::from_pixel(40, 20, Rgb([1, 2, 3]))
            .write_to(&mut Cursor::new(&mut plain), ImageFormat::Jpeg)
            .unwrap();
        let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec();
        exif.extend_from_slice(b"51.5074N 0.1278W");
        let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
        let mut bytes = vec![0xff, 0xd8, 0xff, 0xe1, length[0], length[1]];
        bytes.extend_from_slice(&exif);
        bytes.extend_from_slice(&plain[2..]);
        bytes
    }

    #[test]
    fn the_way_up_is_kept_and_everything_else_in_the_file_is_gone() {
        let mut bytes = sideways();
        bytes.extend_from_slice(b"PK\x03\x04<script>alert(1)</script>");
        let rewritten = rewrite(Kind::Jpeg, &bytes, 1_000_000).unwrap();
        assert_eq!(image::load_from_memory(&rewritten).unwrap().dimensions(), (20, 40));
        for gone in [&b"Exif"[..], b"51.5074N", b"<script>", b"PK\x03\x04"] {
            assert!(!rewritten.windows(gone.len()).any(|window| window == gone), "{gone:?}");
        }
    }

    #[test]
    fn a_picture_with_more_pixels_than_allowed_is_not_decoded() {
        assert!(rewrite(Kind::Png, &png(100, 100), 10_000).is_ok());
        assert_eq!(rewrite(Kind::Png, &png(100, 101), 10_000), Err(Reason::TooManyPixels(10_000)));
        let mut bomb = png(1, 1);
        bomb[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
        let crc = flate2_crc(&bomb[12..29]);
        bomb[29..33].copy_from_slice(&crc.to_be_bytes());
        assert_eq!(rewrite(Kind::Png, &bomb, 40_000_000), Err(Reason::TooManyPixels(40_000_000)));
    }

    fn flate2_crc(bytes: &[u8]) -> u32 {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        crc.sum()
    }

    #[test]
    fn what_only_begins_like_a_picture_is_unreadable() {
        assert_eq!(rewrite(Kind::Png, &png(10, 10)[..40], 1000), Err(Reason::Unreadable));
        assert_eq!(rewrite(Kind::Jpeg, b"\xff\xd8\xff<?php", 1000), Err(Reason::Unreadable));
    }

    #[test]
    fn a_webp_is_written_anew_as_one() {
        let mut bytes = Vec::new();
        RgbImage::from_pixel(3, 2, Rgb([9, 9, 9]))
            .write_to(&mut Cursor::new(&mut bytes), ImageFormat::WebP)
            .unwrap();
        let rewritten = rewrite(Kind::Webp, &bytes, 1000).unwrap();
        assert_eq!(image::guess_format(&rewritten).unwrap(), ImageFormat::WebP);
    }
}
