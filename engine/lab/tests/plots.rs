//! Plots of every shape of results: complete, readable, the same every time, and never a mark for
//! what was not measured.

#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "a test fails where it must not go on")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::prelude::*;
use sage_lab::plots;
use sage_lab::results::{Estimate, Results, Row};
use tempfile::TempDir;

#[path = "../examples/gallery/shapes/mod.rs"]
mod shapes;

use shapes::Shape;

/// Every shape, drawn once for all tests.
static GALLERY: LazyLock<Vec<Drawn>> =
    LazyLock::new(|| shapes::all().into_iter().map(Drawn::of).collect());

/// A shape drawn into a folder of its own.
struct Drawn {
    shape: Shape,
    folder: TempDir,
    names: Vec<String>,
}

impl Drawn {
    fn of(shape: Shape) -> Drawn {
        let folder = tempfile::tempdir().unwrap();
        for (run, text) in &shape.tasks {
            let run = folder.path().join(run);
            fs::create_dir_all(&run).unwrap();
            fs::write(run.join("tasks.csv"), text).unwrap();
        }
        let names = draw(&shape.results, folder.path());
        Drawn { shape, folder, names }
    }

    fn svg(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(format!("{name}.svg"))).unwrap()
    }

    fn png(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.path().join(format!("{name}.png"))).unwrap()
    }
}

fn draw(results: &Results, folder: &Path) -> Vec<String> {
    let tasks = |run: &str| Some(folder.join(run).join("tasks.csv"));
    plots::draw(results, &tasks, folder).unwrap()
}

fn drawn(name: &str) -> &'static Drawn {
    GALLERY.iter().find(|drawn| drawn.shape.name == name).unwrap()
}

fn shape(name: &str) -> Shape {
    shapes::all().into_iter().find(|shape| shape.name == name).unwrap()
}

/// A text of an SVG: what it says and where it stands.
#[derive(Debug, Clone)]
struct Words {
    text: String,
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
    size: f64,
}

fn words(svg: &str) -> Vec<Words> {
    let document = roxmltree::Document::parse(svg).unwrap();
    let texts = document.descendants().filter(|node| node.has_tag_name("text"));
    texts
        .map(|node| {
            let number = |name: &str| -> f64 {
                node.attribute(name).map_or(0.0, |text| text.parse().unwrap())
            };
            let (x, y, size, width) =
                (number("x"), number("y"), number("font-size"), number("textLength"));
            let before = match node.attribute("text-anchor") {
                Some("end") => width,
                Some("middle") => width / 2.0,
                _ => 0.0,
            };
            // The baseline is 0.76 em below y; letters reach a little below it.
            let (along, across) =
                ((x - before, x - before + width), (y + 0.06 * size, y + 0.9 * size));
            let text = node.text().unwrap_or_default().trim().to_owned();
            if node.attribute("transform").is_some() {
                // Turned to run upwards about its point.
                let (left, right) = (x + 0.06 * size, x + 0.9 * size);
                let (top, bottom) = (y - (along.1 - x), y - (along.0 - x));
                return Words { text, left, top, right, bottom, size };
            }
            Words { text, left: along.0, top: across.0, right: along.1, bottom: across.1, size }
        })
        .collect()
}

fn view_box(svg: &str) -> (f64, f64) {
    let document = roxmltree::Document::parse(svg).unwrap();
    let view = document.root_element().attribute("viewBox").unwrap().to_owned();
    let numbers: Vec<f64> = view.split(' ').map(|number| number.parse().unwrap()).collect();
    (numbers[2], numbers[3])
}

#[test]
fn every_shape_gives_whole_files_of_the_size_of_a_column_or_a_page() {
    for drawn in GALLERY.iter() {
        let shape = &drawn.shape;
        assert_eq!(drawn.names.is_empty(), shape.name == "empty", "{}", shape.name);
        let entries = fs::read_dir(drawn.folder.path()).unwrap();
        let files = entries.filter(|entry| entry.as_ref().unwrap().path().is_file()).count();
        assert_eq!(files, 2 * drawn.names.len(), "{}: a file too many, or too few", shape.name);
        for name in &drawn.names {
            let place = format!("{} {name}", shape.name);
            let bytes = drawn.png(name);
            assert!((2_000..250_000).contains(&bytes.len()), "{place}: {} bytes", bytes.len());
            let mut decoder = png::Decoder::new(std::io::Cursor::new(&bytes));
            decoder.set_transformations(png::Transformations::EXPAND);
            let mut reader = decoder.read_info().unwrap();
            let (width, height) = (reader.info().width, reader.info().height);
            assert!(width == 1004 || width == 2067, "{place}: {width} dots wide");
            assert!((150..=2500).contains(&height), "{place}: {height} dots high");
            let dots = reader.info().pixel_dims.unwrap();
            assert_eq!((dots.xppu, dots.unit), (11_811, png::Unit::Meter), "{place}: not 300 dpi");
            let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
            reader.next_frame(&mut pixels).unwrap();
            assert_eq!(pixels[..3], [255, 255, 255], "{place}: the corner is not white");
            let inked = pixels.chunks(3).filter(|pixel| *pixel != [255, 255, 255]).count();
            let share = inked as f64 / f64::from(width * height);
            assert!((0.005..0.6).contains(&share), "{place}: {share} of the sheet has ink");
            let size = view_box(&drawn.svg(name));
            assert_eq!(size, (f64::from(width), f64::from(height)), "{place}: SVG and PNG differ");
        }
    }
}

#[test]
fn no_word_leaves_the_sheet_or_lies_on_another_and_none_is_too_small() {
    for drawn in GALLERY.iter() {
        let shape = &drawn.shape;
        for name in &drawn.names {
            let svg = drawn.svg(name);
            let (width, height) = view_box(&svg);
            let words = words(&svg);
            for word in &words {
                let inside = word.left >= -0.5
                    && word.top >= -0.5
                    && word.right <= width + 0.5
                    && word.bottom <= height + 0.5;
                assert!(inside, "{} {name}: {word:?} leaves {width} x {height}", shape.name);
                assert!(word.size >= 29.0, "{} {name}: {word:?} is less than 7 pt", shape.name);
            }
            // Names of dots take the best place there is, which may be a bad one.
            if name.starts_with("tradeoff") {
                continue;
            }
            for (index, one) in words.iter().enumerate() {
                for other in &words[..index] {
                    let across = one.right.min(other.right) - one.left.max(other.left);
                    let down = one.bottom.min(other.bottom) - one.top.max(other.top);
                    assert!(
                        across <= 1.0 || down <= 1.0,
                        "{} {name}: {one:?} lies on {other:?}",
                        shape.name
                    );
                }
            }
        }
    }
}

#[test]
fn every_picture_says_what_kind_of_figures_it_shows() {
    for drawn in GALLERY.iter() {
        let shape = &drawn.shape;
        for name in &drawn.names {
            let label = shape.results.label();
            let said = words(&drawn.svg(name))
                .into_iter()
                .any(|word| word.text.to_lowercase().starts_with(label));
            assert!(said, "{} {name} does not say `{label}`", shape.name);
        }
    }
}

#[test]
fn the_same_results_give_the_same_bytes() {
    for name in ["policies", "stagger", "strange"] {
        let (one, other) = (drawn(name), Drawn::of(shape(name)));
        assert_eq!(one.names, other.names);
        for name in &one.names {
            assert!(one.svg(name) == other.svg(name), "{name}.svg differs");
            assert!(one.png(name) == other.png(name), "{name}.png differs");
        }
    }
}

#[test]
fn kinds_are_chosen_by_what_is_there() {
    let names = |shape: &str| drawn(shape).names.clone();
    let expected = ["throughput", "latency", "tradeoff", "split", "nodes", "overhead", "cdf"];
    assert_eq!(names("scale_out"), expected);
    assert!(names("policies").contains(&"versus".to_owned()), "there is a baseline");
    assert!(names("stagger").contains(&"admission".to_owned()), "jobs run together");
    assert!(!names("scale_out").contains(&"admission".to_owned()), "jobs run in turn");
    assert!(!names("single").contains(&"tradeoff".to_owned()), "one point is no curve");
    let split: Vec<String> =
        names("grid").into_iter().filter(|name| name.starts_with("split")).collect();
    assert_eq!(split, ["split-1", "split-2", "split-4", "split-8", "split-16"], "65 rows are many");
}

#[test]
fn what_was_not_measured_has_no_mark() {
    let drawn = drawn("missing");
    let count = |name: &str, text: &str| {
        words(&drawn.svg(name)).into_iter().filter(|word| word.text == text).count()
    };
    // Of six policies one has no throughput and one nothing at all.
    let svg = drawn.svg("throughput");
    let document = roxmltree::Document::parse(&svg).unwrap();
    let bars = document
        .descendants()
        .filter(|node| node.has_tag_name("rect") && node.attribute("fill") == Some("#56B4E9"));
    assert_eq!(bars.count(), 4);
    assert_eq!(count("throughput", "n/a"), 2);
    assert_eq!(count("latency", "n/a"), 1);
    assert_eq!(count("split", "n/a"), 2, "without one part the rest would look like the whole");
    assert_eq!(count("tradeoff", "no_throughput"), 0);
    assert_eq!(count("tradeoff", "no_decision"), 1);
}

#[test]
fn a_difference_that_is_far_off_is_written_and_squeezes_no_other() {
    let drawn = |far: f64| {
        let mut shape = shape("policies");
        let row = shape.results.rows.iter_mut().find(|row| row.label("policy") == Some("edf"));
        let found = row.unwrap().versus.get_mut("latency_p99_ms").unwrap();
        found.relative = far;
        found.interval = Some((far, far));
        words(&Drawn::of(shape).svg("versus"))
    };
    let written = |words: &[Words]| -> Vec<String> {
        let percents = words.iter().filter(|word| word.text.contains(" %"));
        percents.map(|word| word.text.clone()).filter(|text| !text.contains("interval")).collect()
    };
    assert!(written(&drawn(0.5)).is_empty());
    let far = drawn(200.0);
    assert_eq!(written(&far), ["rag: 20k % →"]);
    assert!(!far.iter().any(|word| word.text == "20k"), "the axis ends before it");
}

#[test]
fn a_gap_in_a_sweep_is_not_drawn_over() {
    let mut shape = shape("concurrency");
    shape.results.rows.retain(|row| row.label("concurrency") != Some("auto"));
    let lines = |results: &Results| {
        let folder = tempfile::tempdir().unwrap();
        draw(results, folder.path());
        let svg = fs::read_to_string(folder.path().join("throughput.svg")).unwrap();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let thick = document.descendants().filter(|node| {
            node.has_tag_name("polyline") && node.attribute("stroke-width") == Some("4")
        });
        let points = thick.map(|line| line.attribute("points").unwrap().split_whitespace().count());
        points.collect::<Vec<usize>>()
    };
    assert_eq!(lines(&shape.results), [5]);
    shape.results.rows[2].figures.remove("throughput_per_s");
    assert_eq!(lines(&shape.results), [2, 2], "1 to 4 and 16 to 32, nothing over 8");
}

#[test]
fn text_of_programs_is_escaped() {
    let drawn = drawn("long_labels");
    for name in &drawn.names {
        let svg = drawn.svg(name);
        assert!(!svg.contains("a<b") && !svg.contains("<everything>"), "{name}");
    }
    let texts: Vec<String> =
        words(&drawn.svg("throughput")).into_iter().map(|word| word.text).collect();
    assert!(texts.contains(&"a<b & \"c\" > 'd'".to_owned()), "{texts:?}");
    let strange = crate::drawn("strange").svg("throughput");
    assert!(!strange.contains('\u{1}') && strange.contains("X\u{fffd}y"));
}

#[test]
fn without_tables_of_tasks_there_are_only_the_plots_of_figures() {
    let shape = shape("stagger");
    let folder = tempfile::tempdir().unwrap();
    for tasks in [(&|_: &str| None) as &dyn Fn(&str) -> Option<PathBuf>, &|run: &str| {
        Some(Path::new("/nowhere").join(run))
    }] {
        let names = plots::draw(&shape.results, tasks, folder.path()).unwrap();
        assert!(!names.iter().any(|name| name == "cdf" || name == "admission"), "{names:?}");
        assert!(names.contains(&"throughput".to_owned()));
    }
}

#[test]
fn a_broken_table_of_tasks_is_an_error_that_names_it() {
    let mut shape = shape("scale_out");
    let (run, text) = shape.tasks.iter_mut().next().unwrap();
    text.push_str("1,2,3\n");
    let run = run.clone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(&run);
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join("tasks.csv"), &shape.tasks[&run]).unwrap();
    let tasks = |run: &str| Some(folder.path().join(run).join("tasks.csv"));
    let error = plots::draw(&shape.results, &tasks, folder.path()).unwrap_err().to_string();
    assert!(error.contains(&run) && error.contains("line 602"), "{error}");
}

#[test]
fn lines_of_jobs_begin_when_their_runs_did() {
    let drawn = drawn("stagger");
    let svg = drawn.svg("admission");
    assert!(words(&svg).iter().any(|word| word.text == "Time (s)"));
    // Without the offsets the jobs' times cannot be laid over each other, and the axis says so.
    let mut unknown = shape("stagger");
    for run in unknown.results.rows.iter_mut().flat_map(|row| &mut row.runs) {
        run.remove("offset_s");
    }
    let svg = Drawn::of(unknown).svg("admission");
    assert!(words(&svg).iter().any(|word| word.text.starts_with("Time since the start of each")));
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => 1e-3..1e6f64,
        1 => prop::num::f64::ANY,
        1 => Just(0.0),
    ]
}

fn figures() -> impl Strategy<Value = BTreeMap<String, Estimate>> {
    const NAMES: [&str; 7] = [
        "throughput_per_s",
        "latency_p50_ms",
        "latency_p99_ms",
        "scheduling_mean_ms",
        "queueing_mean_ms",
        "execution_mean_ms",
        "decision_p99_us",
    ];
    let estimate = (value(), prop::option::of((value(), value())), prop::bool::ANY).prop_map(
        |(mean, interval, measured)| Estimate {
            values: vec![measured.then_some(mean)],
            mean,
            interval,
        },
    );
    prop::collection::btree_map(
        prop::sample::select(&NAMES[..]).prop_map(str::to_owned),
        estimate,
        0..7,
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn no_results_break_the_drawing(
        labels in prop::collection::vec("[0-9]{1,3}(s|ms)?|auto|\\PC{0,40}", 1..6),
        jobs in prop::collection::vec("\\PC{1,20}|all", 1..4),
        all in prop::collection::vec((figures(), 0..70usize), 24),
        experiment in "\\PC{1,200}",
    ) {
        let mut results = shape("empty").results;
        results.experiment = experiment;
        results.dimensions = vec!["a dimension".to_owned()];
        for (label, (figures, nodes)) in labels.iter().zip(&all) {
            for job in &jobs {
                let tasks: Vec<_> =
                    (0..*nodes).map(|n| serde_json::json!({"tasks": n % 3})).collect();
                let mut run = serde_json::Map::new();
                run.insert("nodes".to_owned(), tasks.into());
                results.rows.push(Row {
                    point: vec![("a dimension".to_owned(), label.clone())],
                    job: job.clone(),
                    figures: figures.clone(),
                    runs: vec![run],
                    ..Row::default()
                });
            }
        }
        let folder = tempfile::tempdir().unwrap();
        for name in draw(&results, folder.path()) {
            let svg = fs::read_to_string(folder.path().join(format!("{name}.svg"))).unwrap();
            prop_assert!(!words(&svg).is_empty());
            prop_assert!(!svg.contains("NaN") && !svg.contains("inf\""), "{name}");
        }
    }
}
