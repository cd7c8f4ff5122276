//! The picture: throughput on the left, latency on the right, for light and dark pages alike.

use std::fmt::Write;

use crate::args::Plan;
use crate::report::{Report, cores};
use crate::rows::Key;
use crate::statistics::Summary;
use crate::table::thousands;

/// The colours, and the only styles there are.
const STYLE: &str = "
    :root { --page: #fff; --ink: #1d2733; --quiet: #667382; --line: #e3e8ee;
            --one: #c3cdd8; --two: #2f6fde; --three: #7fb0ff; --hot: #d9730d; }
    @media (prefers-color-scheme: dark) {
      :root { --page: #12181f; --ink: #e8edf3; --quiet: #95a3b3; --line: #2a3440;
              --one: #465362; --two: #5b96f5; --three: #2f5ba3; --hot: #f0a050; } }
    .page { fill: var(--page); } text { fill: var(--ink); font: 13px system-ui, sans-serif; }
    .title { font-size: 17px; font-weight: 600; } .quiet { fill: var(--quiet); font-size: 12px; }
    .end { text-anchor: end; } .middle { text-anchor: middle; }
    .line { stroke: var(--line); } .spread { stroke: var(--ink); stroke-opacity: .55; }
    .one { fill: var(--one); } .two { fill: var(--two); } .three { fill: var(--three); } .hot { fill: var(--hot); }
    .curve { fill: none; stroke-width: 2; } .curve.two { fill: none; stroke: var(--two); }
    .curve.hot { fill: none; stroke: var(--hot); }
";
/// Where both panels begin and end, from the top.
const TOP: f64 = 110.0;
const BOTTOM: f64 = 370.0;
/// Where each panel begins and ends, from the left.
const LEFT: (f64, f64) = (70.0, 540.0);
const RIGHT: (f64, f64) = (620.0, 940.0);

/// Something that is drawn for each number of connections.
struct Series {
    class: &'static str,
    name: &'static str,
    key: fn(usize) -> Key,
}

const BARS: [Series; 3] = [
    Series { class: "one", name: "hello (GET /live)", key: Key::Hello },
    Series { class: "two", name: "ballots accepted", key: Key::Accepted },
    Series { class: "three", name: "ballots counted", key: Key::Counted },
];
const CURVES: [Series; 2] = [
    Series { class: "two", name: "p50", key: Key::AcceptedP50 },
    Series { class: "hot", name: "p99", key: Key::AcceptedP99 },
];

/// Draws the loads of a plan.
pub fn draw(plan: &Plan, report: &Report) -> String {
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 960 430\" role=\"img\" \
         aria-label=\"Throughput and latency of Urna by the number of connections\">\n",
    );
    let _ = writeln!(
        svg,
        "<style>{STYLE}</style>\n<rect class=\"page\" width=\"960\" height=\"430\" rx=\"12\"/>"
    );
    words(&mut svg, "title", (24.0, 36.0), "How fast Urna takes ballots");
    words(&mut svg, "quiet", (24.0, 56.0), &plan.in_words(cores()));
    bars(&mut svg, plan, report);
    curves(&mut svg, plan, report);
    svg + "</svg>\n"
}

fn bars(svg: &mut String, plan: &Plan, report: &Report) {
    legend(svg, LEFT.0, "requests a second", &BARS);
    let figures = BARS.iter().flat_map(|series| of(plan, report, series));
    let top = nice(figures.map(|summary| summary.max).fold(1.0, f64::max));
    let y = |figure: f64| BOTTOM - (BOTTOM - TOP) * figure / top;
    for part in 0..=4 {
        let figure = top * f64::from(part) / 4.0;
        grid(svg, LEFT, y(figure), &thousands(figure as u64));
    }
    let step = (LEFT.1 - LEFT.0) / plan.connections.len().max(1) as f64;
    let width = (step * 0.72 / BARS.len() as f64).min(34.0);
    for (place, connections) in plan.connections.iter().enumerate() {
        let middle = LEFT.0 + step * (place as f64 + 0.5);
        words(svg, "quiet middle", (middle, BOTTOM + 20.0), &thousands(*connections as u64));
        for (number, series) in BARS.iter().enumerate() {
            let Some(summary) = report.summary((series.key)(*connections)) else { continue };
            let left = middle + width * (number as f64 - BARS.len() as f64 / 2.0);
            let (class, top, height) = (series.class, y(summary.median), BOTTOM - y(summary.median));
            let _ = writeln!(
                svg,
                "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{height:.1}\" rx=\"2\">\
                 <title>{}: {}/s</title></rect>",
                width - 2.0,
                series.name,
                thousands(summary.median as u64)
            );
            spread(svg, left + width / 2.0 - 1.0, y(summary.min), y(summary.max));
        }
    }
    words(svg, "quiet middle", (f64::midpoint(LEFT.0, LEFT.1), BOTTOM + 40.0), "connections");
}

fn curves(svg: &mut String, plan: &Plan, report: &Report) {
    legend(svg, RIGHT.0, "milliseconds until a ballot is accepted", &CURVES);
    let figures: Vec<Summary> = CURVES.iter().flat_map(|series| of(plan, report, series)).collect();
    let lowest = figures.iter().map(|summary| summary.min).fold(f64::INFINITY, f64::min);
    let highest = figures.iter().map(|summary| summary.max).fold(1.0, f64::max);
    let decades = (lowest.clamp(0.001, 1.0).log10().floor() as i32, highest.log10().ceil() as i32);
    let all = f64::from((decades.1 - decades.0).max(1));
    let y = |figure: f64| BOTTOM - (BOTTOM - TOP) * (figure.max(0.001).log10() - f64::from(decades.0)) / all;
    for decade in decades.0..=decades.1 {
        let figure = 10_f64.powi(decade);
        grid(svg, RIGHT, y(figure), &format!("{figure}"));
    }
    let step = (RIGHT.1 - RIGHT.0) / plan.connections.len().max(1) as f64;
    let x = |place: usize| RIGHT.0 + step * (place as f64 + 0.5);
    for (place, connections) in plan.connections.iter().enumerate() {
        words(svg, "quiet middle", (x(place), BOTTOM + 20.0), &thousands(*connections as u64));
    }
    for series in &CURVES {
        let mut path = String::new();
        let mut points = String::new();
        for (place, connections) in plan.connections.iter().enumerate() {
            let Some(summary) = report.summary((series.key)(*connections)) else { continue };
            let (x, y, class) = (x(place), y(summary.median), series.class);
            let _ = write!(path, "{}{x:.1} {y:.1}", if path.is_empty() { "M" } else { " L" });
            let _ = writeln!(
                points,
                "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"><title>{}: {:.2} ms</title></circle>",
                series.name, summary.median
            );
        }
        let _ = write!(svg, "<path class=\"curve {}\" d=\"{path}\"/>\n{points}", series.class);
    }
    words(svg, "quiet middle", (f64::midpoint(RIGHT.0, RIGHT.1), BOTTOM + 40.0), "connections");
}

fn of<'a>(plan: &'a Plan, report: &'a Report, series: &'a Series) -> impl Iterator<Item = Summary> + 'a {
    plan.connections.iter().filter_map(|connections| report.summary((series.key)(*connections)))
}

fn legend(svg: &mut String, left: f64, unit: &str, series: &[Series]) {
    let mut x = left;
    for Series { class, name, .. } in series {
        let _ =
            writeln!(svg, "<rect class=\"{class}\" x=\"{x}\" y=\"73\" width=\"11\" height=\"11\" rx=\"2\"/>");
        words(svg, "text", (x + 17.0, 83.0), name);
        x += 38.0 + 7.0 * name.len() as f64;
    }
    words(svg, "quiet", (left, 101.0), unit);
}

fn grid(svg: &mut String, (left, right): (f64, f64), y: f64, name: &str) {
    let _ = writeln!(svg, "<line class=\"line\" x1=\"{left}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>");
    words(svg, "quiet end", (left - 8.0, y + 4.0), name);
}

fn spread(svg: &mut String, x: f64, bottom: f64, top: f64) {
    if bottom - top > 1.0 {
        let _ = writeln!(
            svg,
            "<line class=\"spread\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{bottom:.1}\" y2=\"{top:.1}\"/>"
        );
    }
}

fn words(svg: &mut String, class: &str, (x, y): (f64, f64), text: &str) {
    let _ = writeln!(svg, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>");
}

/// The next number that reads well: 1, 2, 4 or 8 and zeros.
fn nice(figure: f64) -> f64 {
    let decade = 10_f64.powf(figure.max(1.0).log10().floor());
    let steps = [1.0, 2.0, 4.0, 8.0, 10.0];
    steps.into_iter().map(|step| step * decade).find(|nice| *nice >= figure).unwrap_or(figure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::tests::plan;

    #[test]
    fn an_axis_ends_at_a_number_that_reads_well() {
        let all = [1.0, 3.0, 48_000.0, 81_000.0, 120_000.0].map(nice);
        assert_eq!(all, [1.0, 4.0, 80_000.0, 100_000.0, 200_000.0]);
    }

    #[test]
    fn a_picture_has_a_bar_and_a_point_for_each_load() {
        let plan = plan(&["--connections", "1,256"]);
        let mut report = Report::of(&plan);
        for (connections, latency) in [(1, 0.8), (256, 12.0)] {
            report.note(Key::Hello(connections), 100_000.0);
            report.note(Key::Accepted(connections), 40_000.0);
            report.note(Key::AcceptedP50(connections), latency);
            report.note(Key::AcceptedP99(connections), latency * 3.0);
        }
        let svg = draw(&plan, &report);
        assert_eq!(svg.matches("<circle").count(), 4);
        assert_eq!(svg.matches("/s</title></rect>").count(), 4);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!("picture", svg.replace(&plan.in_words(cores()), "[plan]"));
        });
    }

    #[test]
    fn a_picture_of_nothing_is_a_picture() {
        let plan = plan(&[]);
        let svg = draw(&plan, &Report::of(&plan));
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
