use super::*;
use image::codecs::webp::WebPEncoder;
use image::{ImageEncoder, Luma, Rgb, Rgba};

const RED: [u8; 3] = [220, 20, 20];
const BLUE: [u8; 3] = [20, 20, 220];
const FORMATS: [ImageFormat; 3] = [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP];
/// What a camera says of where it was.
const PLACE: &[u8] = b"GPS 52.5163 N 13.3777 E";

/// Red on the left, blue on the right.
fn flag(width: u32, height: u32) -> DynamicImage {
    let pixel = |x, _| Rgb(if x < width / 2 { RED } else { BLUE });
    DynamicImage::ImageRgb8(image::RgbImage::from_fn(width, height, pixel))
}

fn written(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    sent_as(picture, format, None)
}

/// The picture as a camera writes it that was held so.
fn sent_as(picture: &DynamicImage, format: ImageFormat, orientation: Option<u8>) -> Vec<u8> {
    fn write(picture: &DynamicImage, mut encoder: impl ImageEncoder, exif: Option<Vec<u8>>) {
        if let Some(exif) = exif {
            encoder.set_exif_metadata(exif).unwrap();
        }
        picture.write_with_encoder(encoder).unwrap();
    }
    let mut bytes = Vec::new();
    // A directory of one entry, the orientation, and then the place.
    let exif = orientation.map(|orientation| {
        let head = [b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0", &[orientation, 0, 0, 0][..], &[0; 4]];
        [&head.concat()[..], PLACE].concat()
    });
    match format {
        ImageFormat::Jpeg => write(picture, JpegEncoder::new_with_quality(&mut bytes, 95), exif),
        ImageFormat::Png => write(picture, PngEncoder::new(&mut bytes), exif),
        _ => write(picture, WebPEncoder::new_lossless(&mut bytes), exif),
    }
    bytes
}

fn made(sent: &[u8]) -> DynamicImage {
    image::load_from_memory(&make(sent).unwrap().bytes).unwrap()
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn is_near(pixel: Rgb<u8>, colour: [u8; 3]) -> bool {
    pixel.0.iter().zip(colour).all(|(is, wanted)| is.abs_diff(wanted) < 24)
}

/// A PNG whose part of this kind has been changed, with the right checksum.
fn png_with(png: &[u8], kind: &[u8; 4], change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let (mut changed, mut rest) = (png[..8].to_vec(), &png[8..]);
    while !rest.is_empty() {
        let length = u32::from_be_bytes(*rest.first_chunk().unwrap()) as usize;
        let mut part = rest[4..8 + length].to_vec();
        if part.starts_with(kind) {
            change(&mut part);
        }
        changed.extend(png_part(&part));
        rest = &rest[12 + length..];
    }
    changed
}

fn png_part(part: &[u8]) -> Vec<u8> {
    let mut checksum = u32::MAX;
    for byte in part {
        checksum ^= u32::from(*byte);
        for _ in 0..8 {
            checksum = (checksum >> 1) ^ if checksum & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
    }
    [&(part.len() as u32 - 4).to_be_bytes()[..], part, &(!checksum).to_be_bytes()].concat()
}

/// A PNG that says it is so large, and is not.
fn claiming(width: u32, height: u32) -> Vec<u8> {
    png_with(&written(&flag(8, 8), ImageFormat::Png), b"IHDR", |part| {
        part[4..8].copy_from_slice(&width.to_be_bytes());
        part[8..12].copy_from_slice(&height.to_be_bytes());
    })
}

#[test]
fn each_kind_of_picture_is_taken_and_written_anew() {
    for format in FORMATS {
        let sent = written(&flag(60, 40), format);
        let picture = make(&sent).unwrap();
        assert_ne!(picture.bytes, sent, "{format:?}");
        assert_eq!((content_type(&picture.bytes), make(&sent).unwrap() == picture), ("image/jpeg", true));
        let shown = made(&sent).into_rgb8();
        assert_eq!(shown.dimensions(), (60, 40));
        assert!(
            is_near(*shown.get_pixel(5, 20), RED) && is_near(*shown.get_pixel(55, 20), BLUE),
            "{format:?}"
        );
    }
    let deep = DynamicImage::ImageRgb16(flag(60, 40).into_rgb16());
    assert!(is_near(*made(&written(&deep, ImageFormat::Png)).into_rgb8().get_pixel(5, 20), RED));
    let grey = DynamicImage::ImageLuma8(image::GrayImage::from_pixel(60, 40, Luma([90])));
    assert!(is_near(*made(&written(&grey, ImageFormat::Jpeg)).into_rgb8().get_pixel(5, 20), [90; 3]));
}

#[test]
fn a_picture_is_turned_upright_and_says_nothing_of_where_it_was_taken() {
    for format in FORMATS {
        let sent = sent_as(&flag(60, 40), format, Some(6));
        assert!(holds(&sent, PLACE), "{format:?}");
        let picture = make(&sent).unwrap();
        for part in [PLACE, b"Exif", b"GPS", b"eXIf"] {
            assert!(!holds(&picture.bytes, part), "{format:?} keeps {part:?}");
        }
        // What was left is on top when it is turned a quarter to the right.
        let shown = made(&sent).into_rgb8();
        assert_eq!(shown.dimensions(), (40, 60));
        assert!(
            is_near(*shown.get_pixel(20, 5), RED) && is_near(*shown.get_pixel(20, 55), BLUE),
            "{format:?}"
        );
    }
}

#[test]
fn a_large_picture_is_scaled_down_and_a_small_one_stays_as_it_is() {
    for (sent, shown) in [
        ((3_000, 1_500), (1_024, 512)),
        ((1_000, 1_500), (683, 1_024)),
        ((8_000, 2), (1_024, 1)),
        ((1, 1), (1, 1)),
    ] {
        let made = made(&written(&flag(sent.0, sent.1), ImageFormat::Png));
        assert_eq!((made.width(), made.height()), shown);
    }
}

#[test]
fn what_is_transparent_stays_so_and_does_not_colour_what_is_beside_it() {
    let disc = |x: u32, y: u32| x.abs_diff(1_000).pow(2) + y.abs_diff(1_000).pow(2) < 900_u32.pow(2);
    let pixel = |x, y| Rgba(if disc(x, y) { [120, 120, 120, 255] } else { [255, 255, 255, 0] });
    let sent = DynamicImage::ImageRgba8(RgbaImage::from_fn(2_000, 2_000, pixel));
    for format in [ImageFormat::Png, ImageFormat::WebP] {
        let picture = make(&written(&sent, format)).unwrap();
        assert_eq!(content_type(&picture.bytes), "image/png");
        let shown = image::load_from_memory(&picture.bytes).unwrap().into_rgba8();
        assert_eq!((shown.get_pixel(0, 0).0[3], shown.get_pixel(512, 512).0), (0, [120, 120, 120, 255]));
        assert!(
            shown.pixels().all(|pixel| pixel.0[3] < 32 || pixel.0[0].abs_diff(120) < 12),
            "grey has no white rim"
        );
    }
    // Nothing of this one is transparent, though it could be.
    let whole = DynamicImage::ImageRgba8(flag(60, 40).into_rgba8());
    assert_eq!(content_type(&make(&written(&whole, ImageFormat::Png)).unwrap().bytes), "image/jpeg");
}

#[test]
fn what_is_hard_to_make_small_is_shown_smaller() {
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let pixel = |_, _| Rgba([noise(), noise(), noise(), noise()]);
    let sent = DynamicImage::ImageRgba8(RgbaImage::from_fn(700, 700, pixel));
    let picture = make(&written(&sent, ImageFormat::Png)).unwrap();
    assert!(picture.bytes.len() <= Bucket::pictures().object_max);
    assert!(image::load_from_memory(&picture.bytes).unwrap().width() >= 256);
}

#[test]
fn what_is_no_picture_is_refused_whatever_it_is_called() {
    let svg = br#"<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>"#;
    let others: [&[u8]; 6] =
        [b"", b"A text.", svg, b"GIF89a\x01\0\x01\0", b"BM\x1e\0\0\0", b"<!doctype html>"];
    for other in others {
        assert_eq!(make(other), Err(NotAPicture::Unknown), "{}", String::from_utf8_lossy(other));
    }
    for head in [&b"\xff\xd8\xff"[..], b"\x89PNG\r\n\x1a\n", b"RIFF\x04\0\0\0WEBP"] {
        assert_eq!(make(head), Err(NotAPicture::Broken));
        assert_eq!(make(&[head, svg].concat()), Err(NotAPicture::Broken));
    }
}

#[test]
fn a_picture_that_is_not_whole_is_refused_wherever_it_breaks_off() {
    for format in FORMATS {
        let sent = sent_as(&flag(60, 40), format, Some(1));
        for end in (0..sent.len() - 12).step_by(7) {
            let refused = make(&sent[..end]).unwrap_err();
            assert!(
                matches!(refused, NotAPicture::Broken | NotAPicture::Unknown),
                "{format:?} {end}: {refused}"
            );
        }
    }
    // A thumbnail comes to its end before the picture does.
    let (sent, thumbnail) =
        (written(&flag(60, 40), ImageFormat::Jpeg), written(&flag(8, 8), ImageFormat::Jpeg));
    let length = (thumbnail.len() as u16 + 2).to_be_bytes();
    let with_thumbnail = [&sent[..2], b"\xff\xe1", &length, &thumbnail, &sent[2..]].concat();
    assert!(make(&with_thumbnail).is_ok());
    assert_eq!(make(&with_thumbnail[..with_thumbnail.len() - 2]), Err(NotAPicture::Broken));
}

#[test]
fn a_small_file_that_would_fill_the_memory_is_refused_before_it_does() {
    let refused = |width, height| make(&claiming(width, height)).unwrap_err();
    for (width, height) in [(50_000, 50_000), (8_001, 1), (1, 8_001), (5_000, 5_001)] {
        assert_eq!(refused(width, height), NotAPicture::TooLarge(width, height));
    }
    assert_eq!(
        refused(8_001, 1).to_string(),
        "must be at most 8000 pixels wide and high and have 25 million of them, not 8001 × 1"
    );
    // As large as it may be, and nearly all of it missing.
    assert_eq!(refused(5_000, 5_000), NotAPicture::Broken);
    let deep = written(&DynamicImage::ImageRgba16(flag(8, 8).into_rgba16()), ImageFormat::Png);
    let deep = png_with(&deep, b"IHDR", |part| part[6..12].copy_from_slice(&[0x13, 0x88, 0, 0, 0x13, 0x88]));
    assert_eq!(make(&deep), Err(NotAPicture::TooDeep));
}

#[test]
fn a_picture_that_moves_is_refused() {
    let png = written(&flag(8, 8), ImageFormat::Png);
    let control = png_part(b"acTL\0\0\0\x02\0\0\0\0");
    let moving = [&png[..33], &control, &png[33..]].concat();
    assert_eq!(make(&moving), Err(NotAPicture::Moving));

    let still = written(&flag(8, 8), ImageFormat::WebP);
    let part = |kind: &[u8], inside: &[u8]| {
        let padding = &[0][..inside.len() % 2];
        [kind, &(inside.len() as u32).to_le_bytes(), inside, padding].concat()
    };
    let frame = [&[0; 6][..], &[7, 0, 0, 7, 0, 0, 100, 0, 0, 0], &still[12..]].concat();
    let parts = [
        part(b"VP8X", &[2, 0, 0, 0, 7, 0, 0, 7, 0, 0]),
        part(b"ANIM", &[0; 6]),
        part(b"ANMF", &frame),
        part(b"ANMF", &frame),
    ];
    let moving = part(b"RIFF", &[b"WEBP", &parts.concat()[..]].concat());
    assert_eq!(make(&moving), Err(NotAPicture::Moving));
}
