//! Pictures of options, made harmless: what is sent is decoded, turned upright, scaled down and written anew. Nothing of
//! the file that was sent is left in the one that is shown. Pure.
//!
//! The most memory is taken by a progressive JPEG of [`MEGAPIXELS_MAX`] while it is decoded: nine
//! bytes a pixel, 225 MB. So no two are made at once.

use std::fmt;
use std::io::Cursor;

use image::codecs::jpeg::{JpegDecoder, JpegEncoder};
use image::codecs::png::{PngDecoder, PngEncoder};
use image::codecs::webp::WebPDecoder;
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageResult, Limits, RgbaImage};
use sha2::{Digest, Sha256};
use subjects::{Bucket, PictureId};

/// The largest file that is taken, in bytes.
pub const UPLOAD_MAX: usize = 2 * 1024 * 1024;
/// How wide and how high a picture may be that is sent, in pixels.
const SIDE_MAX: u32 = 8_000;
/// How many pixels it may have, in millions.
const MEGAPIXELS_MAX: u64 = 25;
/// How much memory a picture may take when it is decoded, in bytes. Only one with 16 bits for each colour needs more.
const DECODED_MAX: u64 = 128 * 1024 * 1024;
/// How wide and how high a picture is at the most when it is shown: the first of these at which it is small enough.
const SIDES: [u32; 4] = [1_024, 640, 400, 256];
/// How good a JPEG is, of 100.
const QUALITY: u8 = 85;

/// A picture as it is kept and shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// Its name: the digest of its bytes.
    pub id: PictureId,
    /// A JPEG, or a PNG where something is transparent.
    pub bytes: Vec<u8>,
}

/// Why something that was sent is no picture of an option. The words complete "picture …".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAPicture {
    /// Another kind of file, whatever it is called.
    #[error("must be a JPEG, a PNG or a WebP")]
    Unknown,
    /// Cut off, damaged, or something else behind a good beginning.
    #[error("cannot be read: the file is damaged or not whole")]
    Broken,
    /// More than one.
    #[error("must not move: send a single one")]
    Moving,
    /// Too many pixels.
    #[error(
        "must be at most {SIDE_MAX} pixels wide and high and have {MEGAPIXELS_MAX} million of them, not {0} × {1}"
    )]
    TooLarge(u32, u32),
    /// Too many bits for each of them.
    #[error("takes too much memory: save it with 8 bits for each colour, or smaller")]
    TooDeep,
}

/// Makes a picture of a file that was sent.
///
/// # Errors
/// Any [`NotAPicture`].
pub fn make(sent: &[u8]) -> Result<Picture, NotAPicture> {
    let decoded = decode(sent)?;
    let (upright, orientation) = (decoded.pixels, decoded.orientation);
    let is_transparent = upright.color().has_alpha();
    let mut whole = match is_transparent {
        true => DynamicImage::ImageRgba8(premultiplied(upright.into_rgba8())),
        false => DynamicImage::ImageRgb8(upright.into_rgb8()),
    };
    for side in SIDES {
        whole = scaled_down(whole, side);
        let mut shown = whole.clone();
        // Turning is cheap once it is small, and no side is longer than another allowed.
        shown.apply_orientation(orientation);
        let bytes = write(shown).map_err(|_| NotAPicture::Broken)?;
        if bytes.len() <= Bucket::pictures().object_max {
            return Ok(Picture { id: PictureId::from_bytes(Sha256::digest(&bytes).into()), bytes });
        }
    }
    // Pixels that take four bytes each at the most would fit by now.
    Err(NotAPicture::Broken)
}

/// What a picture is told to browsers as.
pub fn content_type(picture: &[u8]) -> &'static str {
    if picture.starts_with(b"\x89PNG") { "image/png" } else { "image/jpeg" }
}

struct Decoded {
    pixels: DynamicImage,
    orientation: Orientation,
}

/// Decodes what the content says it is, whatever it is called.
fn decode(sent: &[u8]) -> Result<Decoded, NotAPicture> {
    let file = Cursor::new(sent);
    match image::guess_format(sent) {
        Ok(ImageFormat::Jpeg) => {
            let decoder = JpegDecoder::new(file).map_err(broken)?;
            // What is missing would be filled with grey.
            if is_whole_jpeg(sent) { read(decoder) } else { Err(NotAPicture::Broken) }
        }
        Ok(ImageFormat::Png) => {
            let decoder = PngDecoder::with_limits(file, limits()).map_err(broken)?;
            if decoder.is_apng().map_err(broken)? { Err(NotAPicture::Moving) } else { read(decoder) }
        }
        Ok(ImageFormat::WebP) => {
            let decoder = WebPDecoder::new(file).map_err(broken)?;
            if decoder.has_animation() { Err(NotAPicture::Moving) } else { read(decoder) }
        }
        _ => Err(NotAPicture::Unknown),
    }
}

fn read(mut decoder: impl ImageDecoder) -> Result<Decoded, NotAPicture> {
    let (width, height) = decoder.dimensions();
    if width.max(height) > SIDE_MAX || u64::from(width) * u64::from(height) > MEGAPIXELS_MAX * 1_000_000 {
        return Err(NotAPicture::TooLarge(width, height));
    }
    if decoder.total_bytes() > DECODED_MAX {
        return Err(NotAPicture::TooDeep);
    }
    decoder.set_limits(limits()).map_err(broken)?;
    let orientation = decoder.orientation().map_err(broken)?;
    let pixels = DynamicImage::from_decoder(decoder).map_err(broken)?;
    Ok(Decoded { pixels, orientation })
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_alloc = Some(DECODED_MAX);
    limits
}

fn broken(fault: ImageError) -> NotAPicture {
    match fault {
        ImageError::Limits(_) => NotAPicture::TooDeep,
        _ => NotAPicture::Broken,
    }
}

/// Whether a JPEG comes to its end: its last marker, behind all that the others announce.
fn is_whole_jpeg(sent: &[u8]) -> bool {
    let mut rest = sent.get(2..).unwrap_or_default();
    loop {
        // Of what begins with 0xff, these belong to the pixels, or stand for nothing.
        let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0x01 | 0xd0..=0xd7 | 0xff);
        let Some(place) = rest.windows(2).position(is_marker) else { return false };
        if rest[place + 1] == 0xd9 {
            return true;
        }
        let segment = &rest[place + 2..];
        let Some(length) = segment.first_chunk::<2>() else { return false };
        let Some(behind) = segment.get(usize::from(u16::from_be_bytes(*length))..) else { return false };
        rest = behind;
    }
}

/// Fits `whole` into a square. What fits already stays as it is.
fn scaled_down(whole: DynamicImage, side: u32) -> DynamicImage {
    if whole.width().max(whole.height()) <= side {
        return whole;
    }
    // The fine filter takes as much memory as the whole picture once more: it gets one that is nearly right.
    let near = match whole.width().max(whole.height()) > 2 * side {
        true => whole.thumbnail(2 * side, 2 * side),
        false => whole,
    };
    near.resize(side, side, FilterType::Triangle)
}

/// Colours weighed by how much of them shows: what cannot be seen must not bleed into what can when it is scaled.
fn premultiplied(mut picture: RgbaImage) -> RgbaImage {
    for pixel in picture.pixels_mut() {
        let [red, green, blue, alpha] = pixel.0;
        let weigh = |colour: u8| ((u16::from(colour) * u16::from(alpha) + 127) / 255) as u8;
        pixel.0 = [weigh(red), weigh(green), weigh(blue), alpha];
    }
    picture
}

fn unmultiplied(mut picture: RgbaImage) -> RgbaImage {
    for pixel in picture.pixels_mut() {
        let [red, green, blue, alpha] = pixel.0;
        let divisor = u16::from(alpha).max(1);
        let unweigh = |colour: u8| ((u16::from(colour) * 255 + divisor / 2) / divisor).min(255) as u8;
        pixel.0 = [unweigh(red), unweigh(green), unweigh(blue), alpha];
    }
    picture
}

/// Writes the pixels and nothing else: a PNG where something is transparent, or else a JPEG.
fn write(shown: DynamicImage) -> ImageResult<Vec<u8>> {
    let mut bytes = Vec::new();
    match shown {
        DynamicImage::ImageRgba8(pixels) if pixels.pixels().any(|pixel| pixel.0[3] < 255) => {
            let pixels = DynamicImage::ImageRgba8(unmultiplied(pixels));
            pixels.write_with_encoder(PngEncoder::new(&mut bytes))?;
        }
        opaque => {
            let pixels = DynamicImage::ImageRgb8(opaque.into_rgb8());
            pixels.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, QUALITY))?;
        }
    }
    Ok(bytes)
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({}, {} bytes)", self.id, self.bytes.len())
    }
}

#[cfg(test)]
mod tests;
