//! A row of figures as one line of bars.

/// The heights of a bar, from nothing to the greatest figure.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// One bar for each figure, the greatest of them at full height; a figure that is no number is a gap.
pub(crate) fn sparkline(figures: &[f64]) -> String {
    let greatest = figures.iter().copied().fold(0.0, f64::max);
    let bar = |figure: &f64| match *figure {
        figure if figure.is_nan() => ' ',
        figure if greatest <= 0.0 || figure <= 0.0 => BARS[0],
        figure => {
            let top = (BARS.len() - 1) as f64;
            BARS[(figure / greatest * top).round() as usize]
        }
    };
    figures.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_figure_is_as_high_as_a_bar_can_be() {
        assert_eq!(sparkline(&[0.0, 1.0, 3.5, 7.0]), "▁▂▅█");
        assert_eq!(sparkline(&[0.0, 0.0]), "▁▁");
        assert_eq!(sparkline(&[f64::NAN, 2.0, -1.0]), " █▁");
        assert_eq!(sparkline(&[]), "");
    }
}
