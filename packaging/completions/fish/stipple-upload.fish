# SPDX-License-Identifier: MIT OR Apache-2.0
complete -c stipple-upload -l server -d 'The aggregator' -r
complete -c stipple-upload -s h -l help -d 'Print help'
complete -c stipple-upload -s V -l version -d 'Print version'
