//! Draws the few elements of SVG that codes consist of, strictly: what it does not know fails the test.

use quick_xml::{
    XmlVersion,
    events::{BytesStart, Event},
};

use super::Picture;

/// What an SVG document shows.
pub(crate) struct Drawn {
    /// Width and height attributes, in millimetres.
    pub(crate) size: (f64, f64),
    pub(crate) picture: Picture,
    /// The texts, with the places of their baselines in micrometres.
    pub(crate) texts: Vec<(f64, f64, String)>,
}

/// Where user units lie: shift and scale.
#[derive(Clone, Copy)]
struct Place {
    x: f64,
    y: f64,
    scale: f64,
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = element.try_get_attribute(name).unwrap()?;
    Some(found.normalized_value(XmlVersion::Implicit1_0).unwrap().into_owned())
}

fn number(element: &BytesStart<'_>, name: &str) -> f64 {
    attribute(element, name).unwrap_or_else(|| panic!("{name} is there")).parse().unwrap()
}

fn numbers(text: &str) -> Vec<f64> {
    text.split([' ', ',']).map(|part| part.parse().unwrap()).collect()
}

impl Place {
    fn within(self, element: &BytesStart<'_>) -> Self {
        let Some(transform) = attribute(element, "transform") else { return self };
        transform.split_terminator(')').fold(self, |place, step| {
            let (name, arguments) = step.trim().split_once('(').unwrap();
            match (name, numbers(arguments).as_slice()) {
                ("translate", [x, y]) => Self { x: place.x + x * place.scale, y: place.y + y * place.scale, ..place },
                ("scale", [scale]) => Self { scale: place.scale * scale, ..place },
                other => panic!("{other:?}"),
            }
        })
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "pixels of a test")]
fn pixel(micrometres: f64, pixel_micrometres: f64) -> usize {
    (micrometres / pixel_micrometres).round() as usize
}

/// Draws a document with pixels of so many micrometres.
pub(crate) fn draw(svg: &str, pixel_micrometres: f64) -> Drawn {
    let mut reader = quick_xml::Reader::from_str(svg);
    reader.config_mut().check_end_names = true;
    let mut drawn = Drawn { size: (0.0, 0.0), picture: Picture::light(0, 0), texts: Vec::new() };
    let mut places = vec![Place { x: 0.0, y: 0.0, scale: 1.0 }];
    let (mut fill_of_group, mut anchor, mut in_text) = (String::new(), String::new(), None);
    loop {
        let place = *places.last().unwrap();
        match reader.read_event().unwrap() {
            Event::Start(element) => {
                match element.name().as_ref() {
                    "svg" => {
                        let millimetres =
                            |name| attribute(&element, name).unwrap().strip_suffix("mm").unwrap().parse().unwrap();
                        drawn.size = (millimetres("width"), millimetres("height"));
                        let view = numbers(&attribute(&element, "viewBox").unwrap());
                        assert_eq!(view, [0.0, 0.0, (drawn.size.0 * 1000.0).round(), (drawn.size.1 * 1000.0).round()]);
                        let side = |at: usize| pixel(view[at], pixel_micrometres);
                        drawn.picture = Picture::light(side(2), side(3));
                    }
                    "g" => {
                        fill_of_group = attribute(&element, "fill").unwrap_or_default();
                        anchor = attribute(&element, "text-anchor").unwrap_or_default();
                    }
                    "text" => {
                        assert_eq!((fill_of_group.as_str(), anchor.as_str()), ("#000", "middle"));
                        let at = (place.x + number(&element, "x"), place.y + number(&element, "y"));
                        in_text = Some((at.0, at.1, String::new()));
                    }
                    other => panic!("{other}"),
                }
                places.push(place.within(&element));
            }
            Event::Empty(element) => match element.name().as_ref() {
                "rect" => assert_eq!(attribute(&element, "fill").unwrap(), "#fff", "ground is light"),
                "path" => {
                    assert_eq!(attribute(&element, "fill").unwrap(), "#000");
                    let path = attribute(&element, "d").unwrap();
                    path.split_terminator('z').for_each(|run| {
                        draw_run(&mut drawn.picture, run, place.within(&element), pixel_micrometres);
                    });
                }
                other => panic!("{other}"),
            },
            Event::End(element) => {
                places.pop();
                if element.name().as_ref() == "text" {
                    drawn.texts.push(in_text.take().unwrap());
                }
            }
            Event::Text(text) => {
                if let Some((_, _, line)) = &mut in_text {
                    line.push_str(&text);
                }
            }
            Event::GeneralRef(name) => {
                let character = match &*name {
                    "amp" => '&',
                    "lt" => '<',
                    "gt" => '>',
                    other => panic!("{other}"),
                };
                in_text.as_mut().unwrap().2.push(character);
            }
            Event::Eof => return drawn,
            other => panic!("{other:?}"),
        }
    }
}

/// `Mx yhWv1h-W`, in the units of its place.
fn draw_run(picture: &mut Picture, run: &str, place: Place, pixel_micrometres: f64) {
    let (corner, rest) = run.strip_prefix('M').unwrap().split_once('h').unwrap();
    let (width, rest) = rest.split_once("v1h-").unwrap();
    assert_eq!(width, rest, "it comes back to where it began");
    let corner = numbers(corner);
    let width: f64 = width.parse().unwrap();
    let x = |units: f64| pixel(place.x + units * place.scale, pixel_micrometres);
    let y = |units: f64| pixel(place.y + units * place.scale, pixel_micrometres);
    for row in y(corner[1])..y(corner[1] + 1.0) {
        for column in x(corner[0])..x(corner[0] + width) {
            picture.darken(column, row);
        }
    }
}
