//! Reads codes with a library that shares nothing with the ones that make them.
#![allow(dead_code, reason = "not every test looks at everything")]

pub(crate) mod drawn;

use std::io::Cursor;

use datamatrix::{DataMatrix, placement::MatrixMap};
use rxing::{BarcodeFormat, DecodeHints, RXingResult, RXingResultMetadataType, RXingResultMetadataValue};
use waymark_codes::{Drawing, Label, Length, Payload, QuietZone, Symbol, Symbology};

/// A picture of light (255) and dark (0).
#[derive(Clone)]
pub(crate) struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) pixels: Vec<u8>,
}

impl Picture {
    pub(crate) fn light(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![255; width * height] }
    }

    pub(crate) fn is_dark(&self, x: usize, y: usize) -> bool {
        self.pixels[y * self.width + x] == 0
    }

    pub(crate) fn darken(&mut self, x: usize, y: usize) {
        self.pixels[y * self.width + x] = 0;
    }

    pub(crate) fn cut(&self, left: usize, top: usize, width: usize, height: usize) -> Self {
        let rows = (top..top + height).flat_map(|y| &self.pixels[y * self.width + left..][..width]);
        Self { width, height, pixels: rows.copied().collect() }
    }

    /// What a scanner reads in it.
    pub(crate) fn read(&self, symbology: Symbology) -> rxing::common::Result<RXingResult> {
        let format = match symbology {
            Symbology::QrCode(_) => BarcodeFormat::QR_CODE,
            Symbology::DataMatrix(_) => BarcodeFormat::DATA_MATRIX,
        };
        let mut hints = DecodeHints { TryHarder: Some(true), ..Default::default() };
        let (width, height) = (u32::try_from(self.width).unwrap(), u32::try_from(self.height).unwrap());
        rxing::helpers::detect_in_luma_with_hints(self.pixels.clone(), width, height, Some(format), &mut hints)
    }

    /// The text a scanner reads in it.
    pub(crate) fn text(&self, symbology: Symbology) -> String {
        self.read(symbology).expect("a scanner reads it").getText().to_owned()
    }
}

/// The text in a Data Matrix that fills a picture but for a quiet zone of a module. The scanner's library reads bytes marked as UTF-8 twice,
/// as Latin-1 too; so this is the other library, from the pixels.
pub(crate) fn data_matrix_text(picture: &Picture, module_pixels: usize) -> String {
    let side = |pixels: usize| pixels / module_pixels - 2;
    let (width, height) = (side(picture.width), side(picture.height));
    let middle = |module: usize| (module + 1) * module_pixels + module_pixels / 2;
    let modules: Vec<bool> =
        (0..height).flat_map(|y| (0..width).map(move |x| picture.is_dark(middle(x), middle(y)))).collect();
    let (map, size) = MatrixMap::try_from_bits(&modules, width).expect("it is a Data Matrix");
    let mut codewords = map.codewords();
    datamatrix::errorcode::decode_error(&mut codewords, size).expect("it has no errors");
    let data_codewords = DataMatrix::encode(b"1", size).unwrap().data_codewords().len();
    datamatrix::data::decode_str(&codewords[..data_codewords]).expect("it holds a text")
}

/// The symbology identifier scanners send first (ISO/IEC 15424).
pub(crate) fn symbology_identifier(result: &RXingResult) -> String {
    match &result.getRXingResultMetadata()[&RXingResultMetadataType::SYMBOLOGY_IDENTIFIER] {
        RXingResultMetadataValue::SymbologyIdentifier(text) => text.clone(),
        other => panic!("{other:?}"),
    }
}

/// A PNG file as picture, and its pixels per metre.
pub(crate) fn open_png(file: &[u8]) -> (Picture, u32) {
    let mut decoder = png::Decoder::new(Cursor::new(file));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Grayscale, png::BitDepth::Eight));
    let dims = reader.info().pixel_dims.unwrap();
    assert_eq!((dims.unit, dims.xppu), (png::Unit::Meter, dims.yppu));
    let (width, height) = (usize::try_from(info.width).unwrap(), usize::try_from(info.height).unwrap());
    (Picture { width, height, pixels }, dims.xppu)
}

pub(crate) fn symbol(symbology: Symbology, text: &str) -> Symbol {
    Symbol::encode(symbology, Payload::text(text).unwrap()).unwrap()
}

/// A label with the smallest quiet zone and no text.
pub(crate) fn label(symbology: Symbology, text: &str, module_micrometres: u32) -> Label {
    let drawing =
        Drawing { module: Length::micrometres(module_micrometres), quiet_zone: QuietZone::Standard, caption: None };
    Label::new(symbol(symbology, text), drawing).unwrap()
}

pub(crate) fn png_of(label: &Label, dots_per_inch: u32) -> (Picture, u32, waymark_codes::Printed) {
    let mut file = Vec::new();
    let printed = label.write_png(dots_per_inch, &mut file).unwrap();
    let (picture, per_metre) = open_png(&file);
    assert_eq!(picture.width, usize::try_from(printed.width_pixels).unwrap());
    assert_eq!(picture.height, usize::try_from(printed.height_pixels).unwrap());
    (picture, per_metre, printed)
}
