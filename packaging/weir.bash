# Completion for weir(1): it asks the program, so that it knows what this version knows.
_weir() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}
    if [ "$COMP_CWORD" = 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$(weir --help 2>/dev/null | awk '/^  [a-z]/ { print $1 }') --help --version" -- "$word")
    elif [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(weir "$command" --help 2>/dev/null | awk '/^  --/ { print $1 }')" -- "$word")
    elif [[ $before == --log-level ]]; then
        mapfile -t COMPREPLY < <(compgen -W "debug info warn error" -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}
complete -o filenames -F _weir weir
