# SPDX-License-Identifier: MIT OR Apache-2.0
complete -c stipple-session-helper -l bus -d 'The recorder\'s bus: system, session, or a D-Bus address' -r
complete -c stipple-session-helper -l session -d 'The user\'s bus, with the desktop portal and the user\'s systemd' -r
complete -c stipple-session-helper -s h -l help -d 'Print help'
complete -c stipple-session-helper -s V -l version -d 'Print version'
