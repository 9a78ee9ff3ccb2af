//! The course of two queries of the dashboard, drawn as SVG. Not a screen of Grafana.

use std::fmt::Write;
use std::path::PathBuf;

use crate::load::now;
use crate::prometheus::Prometheus;

const SIZE: (f64, f64) = (860.0, 300.0);
const MARGIN: (f64, f64) = (64.0, 40.0);
const COLOURS: [&str; 8] = ["#1f77b4", "#d62728", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f"];
/// The range of a logarithmic axis, as powers of ten of a millisecond.
const DECADES: (i32, i32) = (-3, 3);
/// Seconds.
const SPAN: u64 = 50;

/// A panel: its title, its query, the label that tells the lines apart, and whether it shows times, on a logarithmic axis.
const PANELS: [(&str, &str, &str, bool); 3] = [
    ("Requests by outcome", "sum by (outcome) (rate(pop_requests_total[10s]))", "outcome", false),
    ("Rejections by code", "sum by (code) (rate(pop_requests_total{outcome=\"rejected\"}[10s])) > 0", "code", false),
    (
        "Time of each step, 99 of 100",
        "histogram_quantile(0.99, sum by (le, step) (rate(pop_step_duration_seconds_bucket[10s])))",
        "step",
        true,
    ),
];

pub(crate) async fn draw(prometheus: &Prometheus, path: PathBuf) {
    #[allow(clippy::cast_precision_loss)]
    let height = SIZE.1 * PANELS.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        SIZE.0
    );
    let end = now();
    let mut top = 0.0;
    for (title, query, label, is_time) in PANELS {
        let course = prometheus.course(query, label, end - SPAN, end).await;
        panel(&mut svg, top, (title, is_time), &course);
        top += SIZE.1;
    }
    std::fs::write(path, svg + "</svg>\n").unwrap();
}

#[allow(clippy::cast_precision_loss)]
fn panel(svg: &mut String, top: f64, (title, is_time): (&str, bool), course: &[(String, Vec<(f64, f64)>)]) {
    let most = course.iter().flat_map(|(_, points)| points).map(|(_, value)| *value).fold(1e-9, f64::max) * 1.1;
    let (width, height) = (SIZE.0 - 4.0 * MARGIN.0, SIZE.1 - 2.0 * MARGIN.1);
    let x = |seconds: f64| MARGIN.0 + seconds / SPAN as f64 * width;
    let share = |value: f64| {
        let (least, span) = (f64::from(DECADES.0), f64::from(DECADES.1 - DECADES.0));
        if is_time { ((value * 1000.0).log10() - least) / span } else { value / most }
    };
    let y = |value: f64| top + MARGIN.1 + height - share(value).max(0.0) * height;
    let marks: Vec<(f64, String)> = if is_time {
        (DECADES.0..=DECADES.1).map(|power| (10_f64.powi(power - 3), format!("{} ms", 10_f64.powi(power)))).collect()
    } else {
        (0..=4).map(|part| most * f64::from(part) / 4.0).map(|value| (value, format!("{value:.0}/s"))).collect()
    };
    writeln!(svg, "<text x=\"{}\" y=\"{}\" font-size=\"15\">{title}</text>", MARGIN.0, top + 24.0).unwrap();
    for (value, text) in marks {
        let (left, right, at) = (x(0.0), x(SPAN as f64), y(value));
        writeln!(svg, "<path d=\"M{left:.1} {at:.1}H{right:.1}\" stroke=\"#ddd\"/>").unwrap();
        writeln!(svg, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>", left - 6.0, at + 4.0).unwrap();
    }
    for seconds in (0..=SPAN).step_by(10) {
        let at = x(seconds as f64);
        let below = top + SIZE.1 - MARGIN.1 + 18.0;
        writeln!(svg, "<text x=\"{at:.1}\" y=\"{below:.1}\" text-anchor=\"middle\">{seconds} s</text>").unwrap();
    }
    for (number, (name, points)) in course.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        let line: Vec<String> = points.iter().map(|(at, value)| format!("{:.1},{:.1}", x(*at), y(*value))).collect();
        let line = line.join(" ");
        writeln!(svg, "<polyline points=\"{line}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>").unwrap();
        let (left, row) = (x(SPAN as f64) + 14.0, top + MARGIN.1 + 6.0 + 18.0 * number as f64);
        writeln!(svg, "<text x=\"{left:.1}\" y=\"{row:.1}\" fill=\"{colour}\">{name}</text>").unwrap();
    }
}
