//! Draws invented results of every shape into a folder, to be looked at:
//! `cargo run -p sage-lab --example gallery -- FOLDER`.

mod shapes;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use sage_lab::{page, plots};

fn main() -> Result<(), Box<dyn Error>> {
    let out = std::env::args().nth(1).ok_or("say a folder for the pictures")?;
    for shape in shapes::all() {
        let folder = Path::new(&out).join(shape.name);
        for (run, tasks) in &shape.tasks {
            let run = folder.join(run);
            fs::create_dir_all(&run)?;
            fs::write(run.join("tasks.csv"), tasks)?;
        }
        let tasks = |run: &str| -> Option<PathBuf> { Some(folder.join(run).join("tasks.csv")) };
        let pictures = plots::draw(&shape.results, &tasks, &folder)?;
        page::write(&shape.results, &pictures, &folder)?;
        eprintln!("{}: {}", shape.name, pictures.join(" "));
    }
    Ok(())
}
