//! One picture for each state. They differ by outline as well as by colour, for those who see no colours; every colour has enough
//! contrast to light and dark panels, so that one set does for both.

use liaison::ipc::wire::State;

use super::raster::{Colour, Paint, Point, Shape, arc, draw, on_circle};

/// What can be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Icon {
    Is(State),
    /// The service does not run.
    Absent,
}

/// The heights of the panels in use, in pixels.
pub(crate) const SIZES: [u8; 5] = [16, 22, 24, 32, 48];

const GREEN: Colour = [0x1f, 0x9d, 0x4d];
const BLUE: Colour = [0x2f, 0x80, 0xe0];
const GREY: Colour = [0x80, 0x8a, 0x93];
const AMBER: Colour = [0xc2, 0x7c, 0x00];
const PURPLE: Colour = [0x9a, 0x63, 0xd6];
const PINK: Colour = [0xd1, 0x4a, 0x9a];
const RED: Colour = [0xe0, 0x39, 0x2f];

const WHITE: Paint = Paint::Over([0xff; 3]);
const MIDDLE: Point = (16.0, 16.0);

impl Icon {
    /// Its colour.
    pub(crate) fn colour(self) -> Colour {
        match self {
            Self::Is(State::InStep) => GREEN,
            Self::Is(State::Waiting | State::Syncing) => BLUE,
            Self::Is(State::Paused | State::Offline) | Self::Absent => GREY,
            Self::Is(State::Held) => AMBER,
            Self::Is(State::Standby) => PURPLE,
            Self::Is(State::SignIn) => PINK,
            Self::Is(State::Error) => RED,
        }
    }

    /// Pixels of alpha, red, green and blue, `size` by `size` of them.
    pub(crate) fn pixels(self, size: u8) -> Vec<u8> {
        draw(&self.layers(), size)
    }

    fn layers(self) -> Vec<(Shape, Paint)> {
        let fill = Paint::Over(self.colour());
        match self {
            Self::Is(State::InStep) => tick(fill),
            Self::Is(State::Waiting) => clock(fill),
            Self::Is(State::Syncing) => arrows(fill),
            Self::Is(State::Paused) => bars(fill),
            Self::Is(State::Offline) => cloud(fill),
            Self::Is(State::Held) => triangle(fill),
            Self::Is(State::Standby) => moon(fill),
            Self::Is(State::SignIn) => key(fill),
            Self::Is(State::Error) => cross(fill),
            Self::Absent => frame(fill),
        }
    }
}

fn tick(fill: Paint) -> Vec<(Shape, Paint)> {
    let tick = vec![(9.0, 16.5), (14.0, 21.5), (23.0, 11.0)];
    vec![(Shape::Disc(MIDDLE, 14.5), fill), (Shape::Line(tick, 4.0), WHITE)]
}

fn clock(fill: Paint) -> Vec<(Shape, Paint)> {
    let hands = vec![(16.0, 9.0), (16.0, 17.0), (21.5, 20.0)];
    vec![
        (Shape::Disc(MIDDLE, 14.5), fill),
        (Shape::Disc(MIDDLE, 10.5), Paint::Clear),
        (Shape::Line(hands, 3.6), fill),
    ]
}

/// Two arrows that chase each other.
fn arrows(fill: Paint) -> Vec<(Shape, Paint)> {
    let arrow = |from: f32| {
        let to = from + 115.0;
        let head = vec![
            on_circle(MIDDLE, 4.5, to),
            on_circle(MIDDLE, 17.0, to),
            on_circle(MIDDLE, 11.5, to + 45.0),
        ];
        [(arc(MIDDLE, 11.0, (from, to), 4.4), fill), (Shape::Area(head, 0.0), fill)]
    };
    [arrow(200.0), arrow(20.0)].into_iter().flatten().collect()
}

fn bars(fill: Paint) -> Vec<(Shape, Paint)> {
    let bar = |x: f32| (Shape::Line(vec![(x, 6.5), (x, 25.5)], 7.0), fill);
    vec![bar(9.5), bar(22.5)]
}

/// A cloud, crossed out.
fn cloud(fill: Paint) -> Vec<(Shape, Paint)> {
    let slash = |width| Shape::Line(vec![(5.0, 4.0), (28.0, 28.0)], width);
    vec![
        (Shape::Disc((9.0, 19.5), 6.5), fill),
        (Shape::Disc((17.0, 14.0), 8.5), fill),
        (Shape::Disc((24.5, 19.5), 6.5), fill),
        (Shape::Line(vec![(9.0, 22.5), (24.5, 22.5)], 7.0), fill),
        (slash(8.0), Paint::Clear),
        (slash(3.4), fill),
    ]
}

fn triangle(fill: Paint) -> Vec<(Shape, Paint)> {
    let corners = vec![(16.0, 4.5), (28.5, 26.5), (3.5, 26.5)];
    vec![
        (Shape::Area(corners, 2.5), fill),
        (Shape::Line(vec![(16.0, 11.5), (16.0, 18.0)], 3.8), WHITE),
        (Shape::Disc((16.0, 24.0), 2.2), WHITE),
    ]
}

fn moon(fill: Paint) -> Vec<(Shape, Paint)> {
    vec![(Shape::Disc((15.5, 16.5), 14.0), fill), (Shape::Disc((21.5, 11.0), 11.0), Paint::Clear)]
}

fn key(fill: Paint) -> Vec<(Shape, Paint)> {
    vec![
        (Shape::Disc((10.0, 16.0), 9.0), fill),
        (Shape::Disc((9.0, 16.0), 3.6), Paint::Clear),
        (Shape::Line(vec![(18.0, 16.0), (29.0, 16.0)], 4.4), fill),
        (Shape::Line(vec![(23.0, 16.0), (23.0, 21.5)], 3.8), fill),
        (Shape::Line(vec![(29.0, 16.0), (29.0, 23.0)], 3.8), fill),
    ]
}

/// No disc around it: red and green discs are alike to many.
fn cross(fill: Paint) -> Vec<(Shape, Paint)> {
    let bar = |points: [Point; 2]| (Shape::Line(points.to_vec(), 7.5), fill);
    vec![bar([(6.5, 6.5), (25.5, 25.5)]), bar([(25.5, 6.5), (6.5, 25.5)])]
}

fn frame(fill: Paint) -> Vec<(Shape, Paint)> {
    let square = |near: f32, far: f32| vec![(near, near), (far, near), (far, far), (near, far)];
    vec![
        (Shape::Area(square(3.0, 29.0), 1.0), fill),
        (Shape::Area(square(9.0, 23.0), 0.0), Paint::Clear),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Icon; 10] = [
        Icon::Is(State::InStep),
        Icon::Is(State::Waiting),
        Icon::Is(State::Syncing),
        Icon::Is(State::Paused),
        Icon::Is(State::Offline),
        Icon::Is(State::Held),
        Icon::Is(State::Standby),
        Icon::Is(State::SignIn),
        Icon::Is(State::Error),
        Icon::Absent,
    ];

    /// After WCAG 2.2, "relative luminance".
    fn luminance(colour: Colour) -> f64 {
        let linear = colour.map(|channel| {
            let share = f64::from(channel) / 255.0;
            if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    fn contrast(one: Colour, other: Colour) -> f64 {
        let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
        one.max(other) / one.min(other)
    }

    #[test]
    fn every_colour_stands_out_from_light_and_dark_panels() {
        let (light, dark) = ([0xf6, 0xf5, 0xf4], [0x2d, 0x2d, 0x2d]);
        for icon in ALL {
            for panel in [light, dark] {
                // What WCAG 2.2 asks of graphics (1.4.11).
                let found = contrast(icon.colour(), panel);
                assert!(found >= 3.0, "{icon:?} on {panel:?}: {found:.2}");
            }
            assert!(contrast(icon.colour(), [0xff; 3]) >= 3.0, "{icon:?} with a white sign");
        }
    }

    /// Of what is drawn, without any colour: what covers the panel, and what is white on it.
    fn grey(icon: Icon, size: u8) -> Vec<(bool, bool)> {
        let pixels = icon.pixels(size);
        let seen = |it: &[u8]| (it[0] >= 128, it[0] >= 128 && it[1..].iter().all(|it| *it > 200));
        pixels.chunks(4).map(seen).collect()
    }

    #[test]
    fn no_two_states_look_alike_without_colours_however_small() {
        for size in SIZES {
            for (at, one) in ALL.iter().enumerate() {
                for other in &ALL[at + 1..] {
                    let (one_grey, other_grey) = (grey(*one, size), grey(*other, size));
                    let pairs = one_grey.iter().zip(&other_grey);
                    let differ = pairs.filter(|(one, other)| one != other).count();
                    // A sixth of the pixels at least.
                    let least = one_grey.len() / 6;
                    assert!(differ >= least, "{one:?} and {other:?} at {size}: {differ}");
                }
            }
        }
    }

    #[test]
    fn every_picture_fills_its_square_and_none_is_cut() {
        for icon in ALL {
            for size in SIZES {
                let pixels = icon.pixels(size);
                assert_eq!(pixels.len(), usize::from(size) * usize::from(size) * 4);
                let covered = pixels.chunks(4).filter(|it| it[0] > 127).count();
                assert!(covered * 4 > usize::from(size) * usize::from(size), "{icon:?} {size}");
                let corner = pixels.first().unwrap();
                assert_eq!(*corner, 0, "{icon:?} {size}");
            }
        }
    }
}
