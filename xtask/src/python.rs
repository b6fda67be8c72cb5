//! The Python package: its environments, checks and tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::cargo::{self, output_dir, program, root, with_programs};

/// The folder of the package.
const PACKAGE: &str = "python";

/// Tests that need frameworks which do not fit into one environment with the others: a folder for
/// each, with its own requirements.
const APART: &str = "tests/adapters/apart";

/// A virtual environment with the package, and with what its requirement files pin.
pub(crate) struct PythonEnvironment {
    dir: PathBuf,
}

/// Checks that there is a Python that can make environments.
///
/// # Errors
/// When there is none; says what to install.
pub(crate) fn check_interpreter() -> Result<()> {
    let test = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))";
    let mut python = program("python3", "");
    python.args(["-c", test]).stdout(Stdio::null()).stderr(Stdio::null());
    ensure!(
        python.status().is_ok_and(|status| status.success()),
        "no python3 of version 3.10 or newer with its venv module: install it first (Debian and \
         Ubuntu: `apt-get install python3 python3-venv`)"
    );
    Ok(())
}

impl PythonEnvironment {
    /// Returns the environment of the package's own tests.
    ///
    /// # Errors
    /// As [`Self::prepare`].
    pub(crate) fn prepare_for_tests() -> Result<Self> {
        Self::prepare("tests", &["requirements-dev.txt", "requirements-frameworks.txt"])
    }

    /// Returns the environment of what receives alerts in the tests of `sinks/`, which look for it there.
    ///
    /// # Errors
    /// As [`Self::prepare`].
    pub(crate) fn prepare_for_sinks() -> Result<Self> {
        Self::prepare("sinks", &["requirements-sinks.txt"])
    }

    /// Returns an environment below the target directory, made anew if it has not exactly what these
    /// files ask for.
    ///
    /// # Errors
    /// When a file is missing, or the installation fails.
    fn prepare(name: &str, requirements: &[&str]) -> Result<Self> {
        let dir = output_dir()?.join("python").join(name);
        let wanted = wanted(requirements)?;
        let stamp = dir.join("requirements-installed");
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
            return Ok(Self { dir });
        }
        println!("    making the Python environment {}; once", dir.display());
        if dir.exists() {
            fs::remove_dir_all(&dir).with_context(|| format!("can't remove {}", dir.display()))?;
        }
        cargo::run(program("python3", "-m venv").arg(&dir))?;
        let environment = Self { dir };
        let mut install = environment.python("-m pip install --quiet --disable-pip-version-check");
        for file in requirements {
            install.args(["--requirement", file]);
        }
        cargo::run(install.args(["--editable", "."]))?;
        fs::write(&stamp, wanted).with_context(|| format!("can't write {}", stamp.display()))?;
        Ok(environment)
    }

    /// Returns this environment's Python in the package's folder, its arguments separated by blanks.
    pub(crate) fn python(&self, arguments: &str) -> Command {
        let bin = self.dir.join("bin");
        let mut python = program(bin.join("python"), arguments);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths([bin].into_iter().chain(std::env::split_paths(&path)));
        // A directory whose name has a colon can't be in PATH.
        if let Ok(path) = path {
            python.env("PATH", path);
        }
        python.env("VIRTUAL_ENV", &self.dir).env_remove("PYTHONPATH").env_remove("PYTHONHOME");
        python.current_dir(root().join(PACKAGE));
        python
    }

    /// Returns the strict type check of package, tests and examples.
    pub(crate) fn type_check(&self) -> Command {
        self.python("-m mypy --strict")
    }

    /// Returns the tests below a folder.
    pub(crate) fn tests(&self, folder: &str) -> Result<Command> {
        let mut tests = self.python("-m pytest -q");
        with_programs(&mut tests)?;
        tests.arg(folder);
        Ok(tests)
    }

    /// Returns the tests below a folder, four at a time: they wait most of the time. Needs
    /// `pytest-xdist`, which is in `requirements-dev.txt`.
    pub(crate) fn parallel_tests(&self, folder: &str) -> Result<Command> {
        let mut tests = self.tests(folder)?;
        tests.args(["-n", "4"]);
        Ok(tests)
    }

    /// Builds wheel and sdist, installs the wheel and one built from the sdist each into an environment
    /// that has nothing else, and imports the package there.
    ///
    /// # Errors
    /// When any of it fails.
    pub(crate) fn check_distributions(&self) -> Result<()> {
        let built = output_dir()?.join("python/dist");
        if built.exists() {
            fs::remove_dir_all(&built)
                .with_context(|| format!("can't remove {}", built.display()))?;
        }
        // Without an option, the wheel is built from the sdist.
        for (folder, options) in [("from-tree", "--wheel"), ("from-sdist", "")] {
            let folder = built.join(folder);
            let mut build = self.python("-m build --no-isolation");
            build.args(options.split_ascii_whitespace()).arg("--outdir").arg(&folder);
            cargo::run(build.arg(".").stdout(Stdio::null()))?;
            self.check_wheel(&folder)?;
        }
        Ok(())
    }

    fn check_wheel(&self, folder: &Path) -> Result<()> {
        let files =
            fs::read_dir(folder).with_context(|| format!("can't read {}", folder.display()))?;
        let mut paths = files.filter_map(|it| Some(it.ok()?.path()));
        let wheel = paths
            .find(|path| path.extension().is_some_and(|it| it == "whl"))
            .with_context(|| format!("no wheel was built into {}", folder.display()))?;
        let clean = folder.join("environment");
        cargo::run(program("python3", "-m venv --without-pip").arg(&clean))?;
        let python = clean.join("bin/python");
        let mut install = self.python("-m pip --disable-pip-version-check --python");
        install.arg(&python).args(["install", "--quiet", "--no-index"]);
        cargo::run(install.arg(&wheel))?;
        // From elsewhere and isolated, so that it can't be the package in the tree.
        let test = "import heartline, importlib.resources as r; \
                    assert r.files(heartline).joinpath('py.typed').is_file(); \
                    heartline.start, heartline.auto";
        let mut import = program(python, "-I -c");
        cargo::run(import.arg(test).current_dir(folder))
    }
}

/// Tests all adapters of frameworks, those whose frameworks need an environment of their own included.
///
/// # Errors
/// When an environment can't be made, or a test fails.
pub(crate) fn test_frameworks(
    run_tests: &mut impl FnMut(&mut Command) -> Result<()>,
) -> Result<()> {
    let together = PythonEnvironment::prepare_for_tests()?;
    run_tests(&mut together.parallel_tests("tests/adapters")?)?;
    let apart = root().join(PACKAGE).join(APART);
    let folders =
        fs::read_dir(&apart).with_context(|| format!("can't read {}", apart.display()))?;
    let folders = folders.filter_map(Result::ok).filter(|it| it.path().is_dir());
    let mut names: Vec<String> =
        folders.map(|it| it.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|it| !it.starts_with(['_', '.']));
    names.sort();
    ensure!(!names.is_empty(), "no tests in {}", apart.display());
    for name in names {
        let requirements = format!("requirements-{name}.txt");
        let environment = PythonEnvironment::prepare(&name, &[&requirements])?;
        run_tests(&mut environment.tests(&format!("{APART}/{name}"))?)?;
    }
    Ok(())
}

/// Returns what an environment is made of, as a text.
fn wanted(requirements: &[&str]) -> Result<String> {
    let version = program("python3", "-VV").output().context("can't run python3")?;
    let package = root().join(PACKAGE);
    let mut wanted = format!("{}{}\n", String::from_utf8_lossy(&version.stdout), package.display());
    for file in requirements.iter().chain(&["pyproject.toml"]) {
        let path = package.join(file);
        let text = fs::read_to_string(&path);
        wanted += &text.with_context(|| format!("can't read {}", path.display()))?;
    }
    Ok(wanted)
}
