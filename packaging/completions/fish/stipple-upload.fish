# SPDX-License-Identifier: MIT OR Apache-2.0
complete -c stipple-upload -l server -d 'The aggregator' -r
complete -c stipple-upload -l relay -d 'An Oblivious HTTP relay. It sees this machine\'s address and not the report; the server the other way round' -r
complete -c stipple-upload -l ohttp-keys -d 'The key configuration of the server\'s gateway: a file, or the address to fetch it from' -r
complete -c stipple-upload -s h -l help -d 'Print help'
complete -c stipple-upload -s V -l version -d 'Print version'
