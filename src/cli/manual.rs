//! `perennial man` and `perennial completions`: what the program says of itself, for others to read.

use clap::{Arg, Command};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::output::{Failure, say};

/// Prints the completions for a shell.
pub(super) fn completions(mut program: Command, shell: Shell) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut program, "perennial", &mut text);
    say(String::from_utf8_lossy(&text).trim_end())
}

/// Prints the manual page: the commands, each with its arguments, and then the settings.
pub(super) fn page(program: Command) -> Result<(), Failure> {
    let mut text = Vec::new();
    let manual = Man::new(program.clone()).manual("Perennial");
    manual.render_title(&mut text)?;
    manual.render_name_section(&mut text)?;
    manual.render_synopsis_section(&mut text)?;
    manual.render_description_section(&mut text)?;
    let mut commands = Roff::new();
    commands.control("SH", ["COMMANDS"]);
    describe(&mut commands, &program, &[]);
    commands.to_writer(&mut text)?;
    manual.render_options_section(&mut text)?;
    let mut ends = Roff::new();
    ends.control("SH", ["EXIT STATUS"]);
    ends.text([roman("0 done, 1 failed, 2 wrong usage or settings.")]);
    ends.to_writer(&mut text)?;
    manual.render_version_section(&mut text)?;
    say(String::from_utf8_lossy(&text).trim_end())
}

/// Describes the commands below one, those of each family after it.
fn describe(page: &mut Roff, above: &Command, path: &[&str]) {
    for command in above.get_subcommands().filter(|command| command.get_name() != "help") {
        let path = [path, &[command.get_name()]].concat();
        let own: Vec<_> = command.get_arguments().filter(|argument| !argument.is_global_set()).collect();
        let shown = own.iter().filter(|argument| argument.get_id() != "help").map(|argument| usage(argument));
        let usage = std::iter::once(path.join(" ")).chain(shown).collect::<Vec<_>>().join(" ");
        page.control("TP", []);
        page.text([bold(usage)]);
        page.text([roman(command.get_about().map(ToString::to_string).unwrap_or_default())]);
        for argument in own {
            let Some(help) = argument.get_help() else { continue };
            page.control("RS", []);
            page.control("TP", []);
            page.text([bold(name(argument))]);
            page.text([roman(help.to_string())]);
            page.control("RE", []);
        }
        describe(page, command, &path);
    }
}

fn name(argument: &Arg) -> String {
    let values = argument.get_value_names().unwrap_or_default().iter().map(ToString::to_string).collect::<Vec<_>>();
    match argument.get_long() {
        Some(long) if argument.get_action().takes_values() => format!("--{long} {}", values.join(" ")),
        Some(long) => format!("--{long}"),
        None => values.join(" "),
    }
}

fn usage(argument: &Arg) -> String {
    if argument.is_required_set() { name(argument) } else { format!("[{}]", name(argument)) }
}
