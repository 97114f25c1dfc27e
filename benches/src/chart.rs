//! The cost of each operation against N, drawn: one panel an operation, both
//! axes logarithmic. A flat line is a cost per entry that does not grow.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

use crate::row::Row;
use crate::table::{count, time};

const COLUMNS: usize = 3;
const PANEL: (u32, u32) = (380, 240);

const OURS: RGBColor = RGBColor(0x1f, 0x5f, 0xbf);
const FLOOR: RGBColor = RGBColor(0x80, 0x80, 0x80);
const PEER: RGBColor = RGBColor(0xd0, 0x6a, 0x1e);

/// Draws the timed rows into `path`.
///
/// # Errors
///
/// Where the file cannot be written.
pub fn draw(path: &Path, rows: &[Row]) -> Result<(), String> {
    try_draw(path, rows).map_err(|error| format!("{}: {error}", path.display()))
}

fn try_draw(path: &Path, rows: &[Row]) -> Result<(), Box<dyn Error>> {
    let timed: Vec<&Row> = rows.iter().filter(|row| row.best_ns.is_some()).collect();
    let panels: Vec<&[&Row]> = timed.chunk_by(|a, b| a.op == b.op).collect();
    let lines = panels.len().div_ceil(COLUMNS).max(1);
    let size = (PANEL.0 * COLUMNS as u32, PANEL.1 * lines as u32 + 30);
    let root = SVGBackend::new(path, size).into_drawing_area();
    root.fill(&WHITE)?;
    let (legend, grid) = root.split_vertically(30);
    draw_legend(&legend)?;
    for (area, panel) in grid.split_evenly((lines, COLUMNS)).iter().zip(&panels) {
        draw_panel(area, panel)?;
    }
    root.present()?;
    Ok(())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn draw_legend(area: &Area<'_>) -> Result<(), Box<dyn Error>> {
    let named = [
        (OURS, "lattice-presence"),
        (FLOOR, "floor: plain hash map, plain serde_json"),
        (PEER, "crdts Orswot"),
    ];
    for (at, (color, name)) in (10..).step_by(PANEL.0 as usize).zip(named) {
        area.draw(&PathElement::new(
            [(at, 15), (at + 24, 15)],
            color.stroke_width(2),
        ))?;
        area.draw(&Text::new(name, (at + 30, 9), ("sans-serif", 13)))?;
    }
    Ok(())
}

fn draw_panel(area: &Area<'_>, rows: &[&Row]) -> Result<(), Box<dyn Error>> {
    let series: [(RGBColor, Vec<(f64, f64)>); 3] = [
        (PEER, points(rows, |row| row.peer_ns)),
        (FLOOR, points(rows, |row| row.floor_ns)),
        (OURS, points(rows, |row| row.best_ns)),
    ];
    let all = || series.iter().flat_map(|(_, points)| points);
    let xs = span(all().map(|point| point.0));
    let xs = (xs.0 / 1.15, xs.1 * 1.15);
    // Whole decades: a few percent shall not look like growth.
    let ys = span(all().map(|point| point.1));
    let ys = (decade(ys.0, f64::floor), decade(ys.1, f64::ceil));
    let mut chart = ChartBuilder::on(area)
        .caption(&rows[0].op, ("sans-serif", 13))
        .margin(8)
        .x_label_area_size(22)
        .y_label_area_size(58)
        .build_cartesian_2d((xs.0..xs.1).log_scale(), (ys.0..ys.1).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_labels(4)
        .y_labels(4)
        .label_style(("sans-serif", 11))
        .x_label_formatter(&|n| count(*n as usize))
        .y_label_formatter(&|ns| time(*ns))
        .draw()?;
    for (color, points) in series {
        chart.draw_series(LineSeries::new(points.clone(), color.stroke_width(2)))?;
        let dots = points
            .into_iter()
            .map(|point| Circle::new(point, 3, color.filled()));
        chart.draw_series(dots)?;
    }
    Ok(())
}

fn points(rows: &[&Row], ns: impl Fn(&Row) -> Option<f64>) -> Vec<(f64, f64)> {
    let point = |row: &&Row| ns(row).map(|ns| (row.n as f64, ns));
    rows.iter().filter_map(point).collect()
}

/// The least and the greatest of `values`.
fn span(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, 0.0), |(low, high), value| {
        (value.min(low), value.max(high))
    })
}

fn decade(value: f64, round: fn(f64) -> f64) -> f64 {
    10_f64.powf(round(value.log10()))
}
