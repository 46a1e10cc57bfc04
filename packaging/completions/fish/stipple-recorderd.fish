# SPDX-License-Identifier: MIT OR Apache-2.0
complete -c stipple-recorderd -l bus -d 'The bus to serve: system, session, or a D-Bus address. On the system bus, polkit guards every change' -r
complete -c stipple-recorderd -l state-dir -d 'Where the state is kept. Nothing is written before the user\'s yes' -r -F
complete -c stipple-recorderd -l lock -d 'While this file exists, nothing is recorded or sent, whatever the user answers' -r -F
complete -c stipple-recorderd -l catalog -d 'The catalogue of metrics [default: the installed one]' -r -F
complete -c stipple-recorderd -l server -d 'The aggregator' -r
complete -c stipple-recorderd -l upload-socket -d 'Hand reports to the uploader behind this socket [default: start the stipple-upload beside this program for each report]; --server is then only shown' -r -F
complete -c stipple-recorderd -l send-window -d 'Send each report at a random moment within this many seconds after its week [default: six days]' -r
complete -c stipple-recorderd -l phase -d 'production, or testing for drills' -r -f -a "production\t'Real reports, the real time'
testing\t'A drill: the time may be set with `--now`'"
complete -c stipple-recorderd -l now -d 'Start the clock at this moment (drills only)' -r
complete -c stipple-recorderd -l events-per-second -d 'How many events a caller may record a second, once its burst of 1000 is used up; a user\'s programs together four times that' -r
complete -c stipple-recorderd -l probe-root -d 'The root of the system that the probes read' -r -F
complete -c stipple-recorderd -s h -l help -d 'Print help (see more with \'--help\')'
complete -c stipple-recorderd -s V -l version -d 'Print version'
