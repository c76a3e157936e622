#!/bin/bash
# Writes weir.1.gz and weir.yaml.5.gz from what the program says of itself, so that they cannot say anything else: man.sh PROGRAM FOLDER
set -euo pipefail
program=$1
folder=$2
version=$("$program" --version | cut -d' ' -f2)

# Backslashes, hyphens and leading dots mean something to roff.
plain() {
    sed -e 's/\\/\\e/g' -e 's/-/\\-/g' -e "s/^[.']/\\\\\&&/"
}

verbatim() {
    printf '.PP\n.nf\n.RS 2\n'
    plain
    printf '.RE\n.fi\n'
}

commands() {
    "$program" --help | awk '/^  [a-z]/ { print $1 }'
}

summary() {
    "$program" "$1" --help | sed -n 2p
}

# "Options:" and what follows it: the options become a list, the rest goes on as it is.
options() {
    "$program" "$1" --help | sed -n '/^Options:/,$p' | awk '
        NR == 1 { next }
        /^  --/ && !rest { split(substr($0, 3), part, /  +/); left = part[1]; right = substr($0, index($0, left) + length(left)); sub(/^ +/, "", right)
            print ".TP"; print "\001" left; print right; next }
        { rest = 1; print }' |
        awk '{ if (substr($0, 1, 1) == "\001") bold = 1; sub(/^\001/, ""); if (/^\.TP$/) { print; next }
               gsub(/\\/, "\\e"); gsub(/-/, "\\-"); if ($0 ~ /^[.\047]/) $0 = "\\&" $0; if ($0 == "") print ".PP"; else print (bold ? ".B " : "") $0; bold = 0 }'
}

page_program() {
    printf '.TH WEIR 1 "" "weir %s" "weir"\n.SH NAME\nweir \\- real\\-time applications in one program\n' "$version"
    printf '.SH SYNOPSIS\n.B weir\n.I COMMAND\n[options]\n.br\n.B weir\n.I COMMAND\n.B \\-\\-help\n.br\n.B weir \\-\\-version\n'
    printf '.SH DESCRIPTION\n'
    plain <<'TEXT'
weir speaks the wires of API Gateway's WebSockets and management API, DynamoDB and its streams, Kinesis, CloudWatch and CloudWatch Logs, in one process with one data folder.
Existing clients, SDKs and scripts work with a changed endpoint.
TEXT
    printf '.PP\n'
    plain <<'TEXT'
Without access keys it answers the development pair test/test and listens on loopback only.
TEXT
    printf '.SH COMMANDS\n'
    local command
    for command in $(commands); do
        printf '.SS weir %s\n' "$command"
        summary "$command" | plain
        options "$command"
    done
    printf '.SH EXIT STATUS\n'
    "$program" --help | sed -n '/^Exit codes:/,$p' | awk '/^  [0-9]/ { code = $1; sub(/^ +[0-9]+ +/, ""); printf ".TP\n.B %s\n%s\n", code, $0 }' | sed 's/-/\\-/g'
    printf '.SH SIGNALS\n.TP\n.B SIGTERM, SIGINT\n'
    plain <<'TEXT'
drain and stop; a second one ends the process at once. Nothing that was acknowledged is lost.
TEXT
    printf '.TP\n.B SIGHUP\n'
    plain <<'TEXT'
certificate, access keys, origins, rates and bans are read again.
TEXT
    printf '.SH ENVIRONMENT\n.TP\n.B WEIR_ACCESS_KEY_ID, WEIR_SECRET_ACCESS_KEY\nan access key, when the configuration has none\n'
    printf '.TP\n.B WEIR_ENCRYPTION_KEY, WEIR_ENCRYPTION_KEY_FILE\nthe key of an encrypted data folder\n'
    printf '.TP\n.B JWT_SECRET, JWT_SECRET_FILE\nthe secret of APIs that were given no key\n'
    printf '.TP\n.B NOTIFY_SOCKET\nset by systemd: it is told when the server is ready\n'
    printf '.SH FILES\n.TP\n.I /etc/weir/weir.yaml\nthe configuration of the packaged service\n.TP\n.I /var/lib/weir\nits data folder\n'
    printf '.TP\n.I /etc/default/weir\nits environment and further options\n'
    printf '.SH SEE ALSO\n.BR weir.yaml (5),\n.BR systemctl (1)\n'
}

page_configuration() {
    printf '.TH WEIR.YAML 5 "" "weir %s" "weir"\n.SH NAME\nweir.yaml \\- the configuration of weir\n' "$version"
    printf '.SH DESCRIPTION\n'
    plain <<'TEXT'
The file says what differs from the defaults; the command line of weir serve stands above it. weir check FILE tells every problem with line and column.
Durations are 500ms, 30s, 10m, 2h, 1d; sizes 64KB, 1MB, 1GB in powers of 1024; rates 20/s, 100/m or 3600/h with "burst N" behind.
TEXT
    printf '.SH KEYS\n'
    "$program" check --keys | verbatim
    printf '.SH SEE ALSO\n.BR weir (1)\n'
}

page_program >"$folder/weir.1"
page_configuration >"$folder/weir.yaml.5"
for page in weir.1 weir.yaml.5; do
    gzip -9nc "$folder/$page" >"$folder/$page.gz"
done
