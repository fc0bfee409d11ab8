//! Metrics as text, the way Prometheus reads them.
//!
//! What is counted is counted where it happens, by plain atomic numbers; a scrape reads them and the encoder of the
//! `prometheus` crate writes them out. Why not that crate's own counters: a request would have to look its counter up by the
//! words of its labels, under a lock that all workers share.

use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Encoder, TextEncoder};

use crate::domain::count::Distribution;

/// What the answer to a scrape says that it is.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The name of a label, and its value.
pub type Label<'a> = (&'a str, &'a str);

/// The metrics of one scrape, in the order in which they were added.
#[derive(Debug, Default)]
pub struct Exposition(Vec<MetricFamily>);

impl Exposition {
    /// Adds a number that only grows, without labels.
    pub fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.counters(name, help, [(vec![], value)]);
    }

    /// Adds a number that only grows for each set of labels; nothing where there is no such set.
    pub fn counters<'a>(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (Vec<Label<'a>>, u64)>) {
        let metrics = values.into_iter().map(|(labels, value)| {
            let mut counter = Counter::default();
            counter.set_value(value as f64);
            let mut metric = labelled(labels);
            metric.set_counter(counter);
            metric
        });
        let metrics = metrics.collect();
        self.family(name, help, MetricType::COUNTER, metrics);
    }

    /// Adds a number that goes up and down, without labels.
    pub fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.gauges(name, help, [(vec![], value)]);
    }

    /// Adds a number that goes up and down for each set of labels.
    pub fn gauges<'a>(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (Vec<Label<'a>>, f64)>) {
        let metrics = values.into_iter().map(|(labels, value)| {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            let mut metric = labelled(labels);
            metric.set_gauge(gauge);
            metric
        });
        let metrics = metrics.collect();
        self.family(name, help, MetricType::GAUGE, metrics);
    }

    /// Adds how long things took.
    pub fn histogram(&mut self, name: &str, help: &str, distribution: &Distribution) {
        let buckets = distribution.cumulative().map(|(bound, count)| {
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(bound);
            bucket.set_cumulative_count(count);
            bucket
        });
        let mut histogram = Histogram::default();
        histogram.set_bucket(buckets.collect());
        histogram.set_sample_count(distribution.count());
        histogram.set_sample_sum(distribution.seconds());
        let mut metric = Metric::default();
        metric.set_histogram(histogram);
        self.family(name, help, MetricType::HISTOGRAM, vec![metric]);
    }

    /// Writes all of them out.
    ///
    /// # Errors
    /// If a name is none that Prometheus takes, which is a mistake in the program.
    pub fn text(&self) -> std::io::Result<String> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.0, &mut text).map_err(std::io::Error::other)?;
        String::from_utf8(text).map_err(std::io::Error::other)
    }

    fn family(&mut self, name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) {
        // The encoder takes no family without a value, and a scraper misses nothing by it.
        if metrics.is_empty() {
            return;
        }
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        family.set_metric(metrics);
        self.0.push(family);
    }
}

fn labelled(labels: Vec<Label<'_>>) -> Metric {
    let pairs = labels.into_iter().map(|(name, value)| {
        let mut pair = LabelPair::default();
        pair.set_name(name.to_owned());
        pair.set_value(value.to_owned());
        pair
    });
    Metric::from_label(pairs.collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::count::Timings;

    #[test]
    fn each_kind_is_written_as_prometheus_reads_it() {
        let mut exposition = Exposition::default();
        exposition.counters("a_total", "Counts a.", [(vec![("path", "/x\"\n")], 2)]);
        exposition.gauge("b", "Says b.", 1.5);
        exposition.counters("never_total", "Counts nothing.", []);
        let text = exposition.text().unwrap();
        assert_eq!(
            text,
            "# HELP a_total Counts a.\n# TYPE a_total counter\na_total{path=\"/x\\\"\\n\"} 2\n\
             # HELP b Says b.\n# TYPE b gauge\nb 1.5\n"
        );
    }

    #[test]
    fn a_histogram_ends_with_all_there_are() {
        let timings = Timings::default();
        timings.note(Duration::from_secs(60));
        timings.note(Duration::from_millis(1));
        let mut exposition = Exposition::default();
        exposition.histogram("c_seconds", "Times c.", &timings.read());
        let text = exposition.text().unwrap();
        for line in [
            "c_seconds_bucket{le=\"0.001\"} 1\n",
            "c_seconds_bucket{le=\"10\"} 1\n",
            "c_seconds_bucket{le=\"+Inf\"} 2\n",
            "c_seconds_sum 60.001\n",
            "c_seconds_count 2\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
