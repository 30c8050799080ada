//! Draws simple shapes with smooth edges, at any size, from their distance to a point. It must not know what they stand for.

/// A place in a square of [`SIDE`] by [`SIDE`] units, from the upper left corner.
pub(crate) type Point = (f32, f32);

/// The length of a side in units, whatever it is drawn at.
pub(crate) const SIDE: f32 = 32.0;

/// What is drawn.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    Disc(Point, f32),
    /// A line through points, with round ends, of a width.
    Line(Vec<Point>, f32),
    /// An area within points, grown by a radius that rounds its corners.
    Area(Vec<Point>, f32),
}

/// Red, green and blue.
pub(crate) type Colour = [u8; 3];

/// How a shape changes what was drawn before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    Over(Colour),
    /// Nothing is left there.
    Clear,
}

/// A part of an arc around a point, as a line; angles in degrees, clockwise from the right.
pub(crate) fn arc(centre: Point, radius: f32, (from, to): (f32, f32), width: f32) -> Shape {
    let steps = (0..=24_u8).map(|step| from + (to - from) * f32::from(step) / 24.0);
    Shape::Line(steps.map(|angle| on_circle(centre, radius, angle)).collect(), width)
}

/// The point of a circle at an angle in degrees, clockwise from the right.
pub(crate) fn on_circle((x, y): Point, radius: f32, angle: f32) -> Point {
    let (sin, cos) = angle.to_radians().sin_cos();
    (x + radius * cos, y + radius * sin)
}

/// Draws layers one over the other: `size` × `size` pixels of alpha, red, green and blue, the colours not multiplied by alpha.
pub(crate) fn draw(layers: &[(Shape, Paint)], size: u8) -> Vec<u8> {
    let pixel = SIDE / f32::from(size);
    let mut image = Vec::with_capacity(usize::from(size) * usize::from(size) * 4);
    for row in 0..size {
        for column in 0..size {
            let at = ((f32::from(column) + 0.5) * pixel, (f32::from(row) + 0.5) * pixel);
            image.extend(colour(layers, at, pixel));
        }
    }
    image
}

fn colour(layers: &[(Shape, Paint)], at: Point, pixel: f32) -> [u8; 4] {
    let mut alpha = 0.0_f32;
    // Multiplied by alpha until the end.
    let mut sum = [0.0_f32; 3];
    for (shape, paint) in layers {
        // How much of the pixel is covered, if the edge is nearly straight there.
        let cover = (0.5 - shape.distance(at) / pixel).clamp(0.0, 1.0);
        let (added, colour) = match paint {
            Paint::Over(colour) => (cover, *colour),
            Paint::Clear => (0.0, [0; 3]),
        };
        alpha = added + alpha * (1.0 - cover);
        for (sum, channel) in sum.iter_mut().zip(colour) {
            *sum = f32::from(channel) * added + *sum * (1.0 - cover);
        }
    }
    let [red, green, blue] = sum.map(|it| if alpha > 0.0 { it / alpha } else { 0.0 });
    [byte(alpha * 255.0), byte(red), byte(green), byte(blue)]
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
fn byte(value: f32) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}

impl Shape {
    /// How far a point is outside of it; negative inside.
    fn distance(&self, at: Point) -> f32 {
        match self {
            Self::Disc((x, y), radius) => (at.0 - x).hypot(at.1 - y) - radius,
            Self::Line(points, width) => to_line(at, points) - width / 2.0,
            Self::Area(points, radius) => {
                let closed: Vec<Point> = points.iter().chain(points.first()).copied().collect();
                let edge = to_line(at, &closed);
                let inside = windings(at, &closed);
                (if inside { -edge } else { edge }) - radius
            }
        }
    }
}

/// How far a point is from the nearest of the segments between points.
fn to_line((x, y): Point, points: &[Point]) -> f32 {
    let segments = points.iter().zip(points.iter().skip(1));
    let distances = segments.map(|(&(ax, ay), &(bx, by))| {
        let (along_x, along_y) = (bx - ax, by - ay);
        let length = along_x.mul_add(along_x, along_y * along_y).max(f32::EPSILON);
        let share = ((x - ax) * along_x + (y - ay) * along_y) / length;
        let share = share.clamp(0.0, 1.0);
        (x - share.mul_add(along_x, ax)).hypot(y - share.mul_add(along_y, ay))
    });
    distances.fold(f32::INFINITY, f32::min)
}

/// Whether a point is inside a closed line: whether a ray to the right crosses it an odd number of times.
fn windings((x, y): Point, closed: &[Point]) -> bool {
    let segments = closed.iter().zip(closed.iter().skip(1));
    let crossed = segments.filter(|((ax, ay), (bx, by))| {
        (*ay > y) != (*by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax
    });
    crossed.count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: Colour = [200, 10, 20];

    fn at(image: &[u8], size: usize, x: usize, y: usize) -> &[u8] {
        &image[(y * size + x) * 4..][..4]
    }

    #[test]
    fn what_is_inside_is_filled_and_what_is_outside_is_not() {
        let square = Shape::Area(vec![(8.0, 8.0), (24.0, 8.0), (24.0, 24.0), (8.0, 24.0)], 0.0);
        let image = draw(&[(square, Paint::Over(RED))], 16);
        assert_eq!(image.len(), 16 * 16 * 4);
        assert_eq!(at(&image, 16, 8, 8), [255, 200, 10, 20]);
        assert_eq!(at(&image, 16, 4, 4), [255, 200, 10, 20]);
        assert_eq!(at(&image, 16, 3, 8), [0, 0, 0, 0]);
        assert_eq!(at(&image, 16, 12, 8), [0, 0, 0, 0]);
    }

    #[test]
    fn an_edge_through_a_pixel_covers_part_of_it_in_the_same_colour() {
        let image = draw(&[(Shape::Disc((16.0, 16.0), 13.0), Paint::Over(RED))], 16);
        // The edge is at 3 units, in the middle of the second pixel.
        let [alpha, colour @ ..] = at(&image, 16, 1, 7) else { panic!() };
        assert!((100..160).contains(alpha), "{alpha}");
        assert_eq!(colour, RED);
    }

    #[test]
    fn what_is_cleared_is_gone_and_what_is_over_it_covers() {
        let disc = |radius| Shape::Disc((16.0, 16.0), radius);
        let layers = [
            (disc(14.0), Paint::Over(RED)),
            (disc(10.0), Paint::Clear),
            (Shape::Line(vec![(16.0, 16.0), (20.0, 16.0)], 4.0), Paint::Over([255; 3])),
        ];
        let image = draw(&layers, 32);
        assert_eq!(at(&image, 32, 16, 4), [255, 200, 10, 20]);
        assert_eq!(at(&image, 32, 16, 9)[0], 0);
        assert_eq!(at(&image, 32, 18, 16), [255; 4]);
    }
}
