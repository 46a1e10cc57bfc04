# SPDX-License-Identifier: MIT OR Apache-2.0
# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_stipple_global_optspecs
    string join \n bus= json color= h/help V/version
end

function __fish_stipple_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_stipple_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_stipple_using_subcommand
    set -l cmd (__fish_stipple_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c stipple -n "__fish_stipple_needs_command" -l bus -d 'The bus of the recorder: system, session, or a D-Bus address' -r
complete -c stipple -n "__fish_stipple_needs_command" -l color -d 'Colours; auto: on a terminal, unless NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c stipple -n "__fish_stipple_needs_command" -l json -d 'Print JSON'
complete -c stipple -n "__fish_stipple_needs_command" -s h -l help -d 'Print help'
complete -c stipple -n "__fish_stipple_needs_command" -s V -l version -d 'Print version'
complete -c stipple -n "__fish_stipple_needs_command" -f -a "status" -d 'Whether metrics are on, and where reports go'
complete -c stipple -n "__fish_stipple_needs_command" -f -a "enable" -d 'Say yes to the text that `stipple enable --text` prints: record, and send randomised reports'
complete -c stipple -n "__fish_stipple_needs_command" -f -a "disable" -d 'Say no: stop, and delete everything recorded. Only the spent budget is kept'
complete -c stipple -n "__fish_stipple_needs_command" -f -a "show" -d 'What this week\'s events amount to, before randomisation'
complete -c stipple -n "__fish_stipple_needs_command" -f -a "preview" -d 'What will be sent and when: the true value beside the exact bytes. Looking changes nothing'
complete -c stipple -n "__fish_stipple_needs_command" -f -a "sent" -d 'What was sent, byte for byte'
complete -c stipple -n "__fish_stipple_needs_command" -f -a "budget" -d 'How much of this half-year\'s privacy budget is spent'
complete -c stipple -n "__fish_stipple_needs_command" -f -a "metrics" -d 'Every metric: what it asks, what it costs, and whether it is on'
complete -c stipple -n "__fish_stipple_needs_command" -f -a "opt-out" -d 'Switch a metric, or a whole category, off. Nobody can tell from the reports that it is off'
complete -c stipple -n "__fish_stipple_needs_command" -f -a "opt-in" -d 'Switch a metric, or a whole category, on again'
complete -c stipple -n "__fish_stipple_needs_command" -f -a "erase" -d 'Delete everything recorded and not yet sent, and the list of what was sent. The answer and the spent budget stay'
complete -c stipple -n "__fish_stipple_needs_command" -f -a "export" -d 'Everything that this computer holds about you, as one JSON document'
complete -c stipple -n "__fish_stipple_needs_command" -f -a "doctor" -d 'Look for what can be wrong, and say what to do. It changes nothing and asks nobody but the recorder'
complete -c stipple -n "__fish_stipple_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c stipple -n "__fish_stipple_using_subcommand status" -l bus -d 'The bus of the recorder: system, session, or a D-Bus address' -r
complete -c stipple -n "__fish_stipple_using_subcommand status" -l color -d 'Colours; auto: on a terminal, unless NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c stipple -n "__fish_stipple_using_subcommand status" -l json -d 'Print JSON'
complete -c stipple -n "__fish_stipple_using_subcommand status" -s h -l help -d 'Print help'
complete -c stipple -n "__fish_stipple_using_subcommand enable" -l bus -d 'The bus of the recorder: system, session, or a D-Bus address' -r
complete -c stipple -n "__fish_stipple_using_subcommand enable" -l color -d 'Colours; auto: on a terminal, unless NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c stipple -n "__fish_stipple_using_subcommand enable" -l text -d 'Print the text that a yes agrees to, and change nothing'
complete -c stipple -n "__fish_stipple_using_subcommand enable" -l json -d 'Print JSON'
complete -c stipple -n "__fish_stipple_using_subcommand enable" -s h -l help -d 'Print help'
complete -c stipple -n "__fish_stipple_using_subcommand disable" -l bus -d 'The bus of the recorder: system, session, or a D-Bus address' -r
complete -c stipple -n "__fish_stipple_using_subcommand disable" -l color -d 'Colours; auto: on a terminal, unless NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c stipple -n "__fish_stipple_using_subcommand disable" -l json -d 'Print JSON'
complete -c stipple -n "__fish_stipple_using_subcommand disable" -s h -l help -d 'Print help'
complete -c stipple -n "__fish_stipple_using_subcommand show" -l bus -d 'The bus of the recorder: system, session, or a D-Bus address' -r
complete -c stipple -n "__fish_stipple_using_subcommand show" -l color -d 'Colours; auto: on a terminal, unless NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c stipple -n "__fish_stipple_using_subcommand show" -l json -d 'Print JSON'
complete -c stipple -n "__fish_stipple_using_subcommand show" -s h -l help -d 'Print help'
complete -c stipple -n "__fish_stipple_using_subcommand preview" -l bus -d 'The bus of the recorder: system, session, or a D-Bus address' -r
complete -c stipple -n "__fish_stipple_using_subcommand preview" -l color -d 'Colours; auto: on a terminal, unless NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c stipple -n "__fish_stipple_using_subcommand preview" -l json -d 'Print JSON'
complete -c stipple -n "__fish_stipple_using_subcommand preview" -s h -l help -d 'Print help'
complete -c stipple -n "__fish_stipple_using_subcommand sent" -l bus -d 'The bus of the recorder: system, session, or a D-Bus address' -r
complete -c stipple -n "__fish_stipple_using_subcommand sent" -l color -d 'Colours; auto: on a terminal, unless NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c stipple -n "__fish_stipple_using_subcommand sent" -l json -d 'Print JSON'
complete -c stipple -n "__fish_stipple_using_subcommand sent" -s h -l help -d 'Print help'
complete -c stipple -n "__fish_stipple_using_subcommand budget" -l bus -d 'The bus of the recorder: system, session, or a D-Bus address' -r
complete -c stipple -n "__fish_stipple_using_subcommand budget" -l color -d 'Colours; auto: on a terminal, unless NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c stipple -n "__fish_stipple_using_subcommand budget" -l json -d 'Print JSON'
complete -c stipple -n "__fish_stipple_using_subcommand budget" -s h -l help -d 'Print help'
complete -c stipple -n "__fish_stipple_using_subcommand metrics; and not __fish_seen_subcommand_from explain help" -l bus -d 'The bus of the recorder: system, session, or a D-Bus address' -r
complete -c stipple -n "__fish_stipple_using_subcommand metrics; and not __fish_seen_subcommand_from explain help" -l color -d 'Colours; auto: on a terminal, unless NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c stipple -n "__fish_stipple_using_subcommand metrics; and not __fish_seen_subcommand_from explain help" -l json -d 'Print JSON'
complete -c stipple -n "__fish_stipple_using_subcommand metrics; and not __fish_seen_subcommand_from explain help" -s h -l help -d 'Print help'
complete -c stipple -n "__fish_stipple_using_subcommand metrics; and not __fish_seen_subcommand_from explain help" -f -a "explain" -d 'One metric in plain words: what is asked and recorded, when it is reported, and what the randomisation does to your answer'
complete -c stipple -n "__fish_stipple_using_subcommand metrics; and not __fish_seen_subcommand_from explain help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c stipple -n "__fish_stipple_using_subcommand metrics; and __fish_seen_subcommand_from explain" -l bus -d 'The bus of the recorder: system, session, or a D-Bus address' -r
complete -c stipple -n "__fish_stipple_using_subcommand metrics; and __fish_seen_subcommand_from explain" -l color -d 'Colours; auto: on a terminal, unless NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c stipple -n "__fish_stipple_using_subcommand metrics; and __fish_seen_subcommand_from explain" -l json -d 'Print JSON'
complete -c stipple -n "__fish_stipple_using_subcommand metrics; and __fish_seen_subcommand_from explain" -s h -l help -d 'Print help'
complete -c stipple -n "__fish_stipple_using_subcommand metrics; and __fish_seen_subcommand_from help" -f -a "explain" -d 'One metric in plain words: what is asked and recorded, when it is reported, and what the randomisation does to your answer'
complete -c stipple -n "__fish_stipple_using_subcommand metrics; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c stipple -n "__fish_stipple_using_subcommand opt-out" -l bus -d 'The bus of the recorder: system, session, or a D-Bus address' -r
complete -c stipple -n "__fish_stipple_using_subcommand opt-out" -l color -d 'Colours; auto: on a terminal, unless NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c stipple -n "__fish_stipple_using_subcommand opt-out" -l json -d 'Print JSON'
complete -c stipple -n "__fish_stipple_using_subcommand opt-out" -s h -l help -d 'Print help'
complete -c stipple -n "__fish_stipple_using_subcommand opt-in" -l bus -d 'The bus of the recorder: system, session, or a D-Bus address' -r
complete -c stipple -n "__fish_stipple_using_subcommand opt-in" -l color -d 'Colours; auto: on a terminal, unless NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c stipple -n "__fish_stipple_using_subcommand opt-in" -l json -d 'Print JSON'
complete -c stipple -n "__fish_stipple_using_subcommand opt-in" -s h -l help -d 'Print help'
complete -c stipple -n "__fish_stipple_using_subcommand erase" -l bus -d 'The bus of the recorder: system, session, or a D-Bus address' -r
complete -c stipple -n "__fish_stipple_using_subcommand erase" -l color -d 'Colours; auto: on a terminal, unless NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c stipple -n "__fish_stipple_using_subcommand erase" -l json -d 'Print JSON'
complete -c stipple -n "__fish_stipple_using_subcommand erase" -s h -l help -d 'Print help'
complete -c stipple -n "__fish_stipple_using_subcommand export" -l output -d 'Write it to this file, which only you can read, and not to the terminal' -r -F
complete -c stipple -n "__fish_stipple_using_subcommand export" -l bus -d 'The bus of the recorder: system, session, or a D-Bus address' -r
complete -c stipple -n "__fish_stipple_using_subcommand export" -l color -d 'Colours; auto: on a terminal, unless NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c stipple -n "__fish_stipple_using_subcommand export" -l force -d 'Replace the file if it is there'
complete -c stipple -n "__fish_stipple_using_subcommand export" -l json -d 'Print JSON'
complete -c stipple -n "__fish_stipple_using_subcommand export" -s h -l help -d 'Print help'
complete -c stipple -n "__fish_stipple_using_subcommand doctor" -l bus -d 'The bus of the recorder: system, session, or a D-Bus address' -r
complete -c stipple -n "__fish_stipple_using_subcommand doctor" -l color -d 'Colours; auto: on a terminal, unless NO_COLOR is set' -r -f -a "auto\t''
always\t''
never\t''"
complete -c stipple -n "__fish_stipple_using_subcommand doctor" -l json -d 'Print JSON'
complete -c stipple -n "__fish_stipple_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c stipple -n "__fish_stipple_using_subcommand help; and not __fish_seen_subcommand_from status enable disable show preview sent budget metrics opt-out opt-in erase export doctor help" -f -a "status" -d 'Whether metrics are on, and where reports go'
complete -c stipple -n "__fish_stipple_using_subcommand help; and not __fish_seen_subcommand_from status enable disable show preview sent budget metrics opt-out opt-in erase export doctor help" -f -a "enable" -d 'Say yes to the text that `stipple enable --text` prints: record, and send randomised reports'
complete -c stipple -n "__fish_stipple_using_subcommand help; and not __fish_seen_subcommand_from status enable disable show preview sent budget metrics opt-out opt-in erase export doctor help" -f -a "disable" -d 'Say no: stop, and delete everything recorded. Only the spent budget is kept'
complete -c stipple -n "__fish_stipple_using_subcommand help; and not __fish_seen_subcommand_from status enable disable show preview sent budget metrics opt-out opt-in erase export doctor help" -f -a "show" -d 'What this week\'s events amount to, before randomisation'
complete -c stipple -n "__fish_stipple_using_subcommand help; and not __fish_seen_subcommand_from status enable disable show preview sent budget metrics opt-out opt-in erase export doctor help" -f -a "preview" -d 'What will be sent and when: the true value beside the exact bytes. Looking changes nothing'
complete -c stipple -n "__fish_stipple_using_subcommand help; and not __fish_seen_subcommand_from status enable disable show preview sent budget metrics opt-out opt-in erase export doctor help" -f -a "sent" -d 'What was sent, byte for byte'
complete -c stipple -n "__fish_stipple_using_subcommand help; and not __fish_seen_subcommand_from status enable disable show preview sent budget metrics opt-out opt-in erase export doctor help" -f -a "budget" -d 'How much of this half-year\'s privacy budget is spent'
complete -c stipple -n "__fish_stipple_using_subcommand help; and not __fish_seen_subcommand_from status enable disable show preview sent budget metrics opt-out opt-in erase export doctor help" -f -a "metrics" -d 'Every metric: what it asks, what it costs, and whether it is on'
complete -c stipple -n "__fish_stipple_using_subcommand help; and not __fish_seen_subcommand_from status enable disable show preview sent budget metrics opt-out opt-in erase export doctor help" -f -a "opt-out" -d 'Switch a metric, or a whole category, off. Nobody can tell from the reports that it is off'
complete -c stipple -n "__fish_stipple_using_subcommand help; and not __fish_seen_subcommand_from status enable disable show preview sent budget metrics opt-out opt-in erase export doctor help" -f -a "opt-in" -d 'Switch a metric, or a whole category, on again'
complete -c stipple -n "__fish_stipple_using_subcommand help; and not __fish_seen_subcommand_from status enable disable show preview sent budget metrics opt-out opt-in erase export doctor help" -f -a "erase" -d 'Delete everything recorded and not yet sent, and the list of what was sent. The answer and the spent budget stay'
complete -c stipple -n "__fish_stipple_using_subcommand help; and not __fish_seen_subcommand_from status enable disable show preview sent budget metrics opt-out opt-in erase export doctor help" -f -a "export" -d 'Everything that this computer holds about you, as one JSON document'
complete -c stipple -n "__fish_stipple_using_subcommand help; and not __fish_seen_subcommand_from status enable disable show preview sent budget metrics opt-out opt-in erase export doctor help" -f -a "doctor" -d 'Look for what can be wrong, and say what to do. It changes nothing and asks nobody but the recorder'
complete -c stipple -n "__fish_stipple_using_subcommand help; and not __fish_seen_subcommand_from status enable disable show preview sent budget metrics opt-out opt-in erase export doctor help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c stipple -n "__fish_stipple_using_subcommand help; and __fish_seen_subcommand_from metrics" -f -a "explain" -d 'One metric in plain words: what is asked and recorded, when it is reported, and what the randomisation does to your answer'
