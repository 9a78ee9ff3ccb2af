//! A line chart in SVG.

use std::fmt::Write;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 60.0;
const TOP: f64 = 30.0;

/// Draws memory in MiB over minutes: of the replicas, and of Redis.
pub(crate) fn memory(points: &[(f64, f64, f64)]) -> String {
    let end = points.last().map_or(1.0, |point| point.0.max(1.0));
    let most = points.iter().flat_map(|point| [point.1, point.2]).fold(1.0, f64::max);
    let top = (most / 20.0).ceil() * 20.0;
    let x = |minute: f64| LEFT + minute / end * WIDTH;
    let y = |mebibytes: f64| TOP + HEIGHT - mebibytes / top * HEIGHT;
    let mut svg = String::from(concat!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 350" font-family="sans-serif" font-size="12">"#,
        r#"<rect width="800" height="350" fill="white"/>"#,
    ));
    for step in 0..=4 {
        let value = top * f64::from(step) / 4.0;
        let at = y(value);
        let _ = write!(svg, r##"<path d="M{LEFT} {at:.1}h{WIDTH}" stroke="#ddd"/>"##);
        let _ = write!(svg, r#"<text x="52" y="{:.1}" text-anchor="end">{value:.0}</text>"#, at + 4.0);
    }
    for step in 0..=6 {
        let minute = end * f64::from(step) / 6.0;
        let _ = write!(svg, r#"<text x="{:.1}" y="310" text-anchor="middle">{minute:.0}</text>"#, x(minute));
    }
    let _ = write!(svg, r#"<text x="420" y="335" text-anchor="middle">minutes</text>"#);
    let _ = write!(svg, r#"<text x="60" y="18">Resident memory in MiB</text>"#);
    let mut line = |name: &str, colour: &str, values: &[(f64, f64)]| {
        let path: Vec<String> =
            values.iter().map(|(minute, value)| format!("{:.1} {:.1}", x(*minute), y(*value))).collect();
        let _ = write!(svg, r#"<path d="M{}" fill="none" stroke="{colour}" stroke-width="2"/>"#, path.join("L"));
        if let Some((_, last)) = values.last() {
            let at = y(*last) - 8.0;
            let _ = write!(svg, r#"<text x="775" y="{at:.1}" text-anchor="end" fill="{colour}">{name}</text>"#);
        }
    };
    line("three replicas", "#1f77b4", &points.iter().map(|point| (point.0, point.1)).collect::<Vec<_>>());
    line("Redis", "#d62728", &points.iter().map(|point| (point.0, point.2)).collect::<Vec<_>>());
    svg + "</svg>\n"
}
