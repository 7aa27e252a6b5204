# Completion of srt for bash: eval "$(srt completion bash)"

_srt() {
    local current=${COMP_WORDS[COMP_CWORD]}
    local globals='--settings --preset --debug --control-fd --line --help --version -s -c -d -h -V'
    local rules='--allow-write --deny-write --allow-read --deny-read --allow-domain --deny-domain --limit --allow-weaker --no-project --yes'
    local verb='' options=$globals word='' i=1

    # Options come before the command; what follows the command is its own.
    while ((i < COMP_CWORD)); do
        word=${COMP_WORDS[i]}
        case $word in
        --)
            ((++i))
            _srt_command "$i"
            return
            ;;
        -s | -c | --line | --settings | --preset | --control-fd | --allow-* | --deny-* | --limit)
            ((++i))
            # bash makes words of the sign and of the value behind it.
            [[ ${COMP_WORDS[i]-} == = ]] && ((++i))
            ;;
        -*) ;;
        run | route | git | init | install | uninstall | status | hook | explain | violations | why | allow | learn | events | doctor | config | trust | untrust | preset | version | completion)
            [[ -n $verb ]] && break
            verb=$word
            if [[ $verb == route ]]; then
                options=''
                ((++i))
                continue
            fi
            [[ $verb == run || $verb == explain ]] || break
            options+=" $rules"
            [[ $verb == explain ]] && options+=' --json --seatbelt'
            ;;
        *) break ;;
        esac
        ((++i))
    done

    case $verb in
    '' | run | route | explain) ;;
    git)
        _srt_command "$i"
        return
        ;;
    *)
        _srt_verb "$verb" "$((i + 1))" "$current"
        return
        ;;
    esac
    if ((i < COMP_CWORD)); then
        _srt_command "$i"
        return
    fi

    local before=${COMP_WORDS[COMP_CWORD - 1]}
    [[ $before == = ]] && before=${COMP_WORDS[COMP_CWORD - 2]}
    [[ $current == = ]] && before=${COMP_WORDS[COMP_CWORD - 1]} current=''
    case $before in
    --preset)
        mapfile -t COMPREPLY < <(compgen -W "$(_srt_presets) none" -- "$current")
        return
        ;;
    -s | --settings | --allow-write | --deny-write | --allow-read | --deny-read)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    --limit)
        compopt -o nospace 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -W 'memory= processes= cpu= time= tmp=' -- "$current")
        return
        ;;
    --allow-weaker)
        mapfile -t COMPREPLY < <(compgen -W limits -- "$current")
        return
        ;;
    -c | --line | --control-fd | --allow-domain | --deny-domain) return ;;
    esac
    if [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
    elif [[ -z $verb ]]; then
        mapfile -t COMPREPLY < <(compgen -W 'run route git init install uninstall status hook explain violations why allow learn events doctor config trust untrust preset version completion' -- "$current"; compgen -c -- "$current")
    else
        _srt_command "$COMP_CWORD"
    fi
}

# The names of the presets, one a line.
_srt_presets() { srt preset list 2>/dev/null | sed -n 's/^\([^ ][^ ]*\) .*/\1/p'; }

# Completes a command as if srt were not there.
_srt_command() {
    if declare -F _comp_command_offset >/dev/null; then
        _comp_command_offset "$1"
    elif declare -F _command_offset >/dev/null; then
        _command_offset "$1"
    elif ((COMP_CWORD == $1)); then
        mapfile -t COMPREPLY < <(compgen -c -- "${COMP_WORDS[COMP_CWORD]}")
    else
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
    fi
}

# Completes the words of a verb that runs nothing. $2 is where they begin.
_srt_verb() {
    local verb=$1 at=$2 current=$3 words=''
    if [[ $verb == trust || $verb == untrust ]]; then
        [[ $verb == trust ]] && words='--list --yes'
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current"; compgen -d -- "$current")
        return
    fi
    if ((COMP_CWORD == at)); then
        case $verb in
        doctor) words='--json' ;;
        events) words='export --otlp --since --follow' ;;
        learn) words='--output --write --yes' ;;
        allow) words='--last --user --project --once --yes --dry-run --force' ;;
        why) words='--json' ;;
        violations) words='--follow --json --since --kind --program --here --all --clear' ;;
        config) words='show check path schema' ;;
        preset) words='list show' ;;
        hook) words='git npm pip make' ;;
        install | uninstall) words='--shell --dry-run --yes' ;;
        init) words='zsh bash fish --git=hooks --git=all --git=off' ;;
        completion) words='bash zsh fish' ;;
        esac
    elif ((COMP_CWORD == at + 1)); then
        case "$verb ${COMP_WORDS[at]}" in
        'config show') words='--origin' ;;
        'hook git') words='install uninstall status review adopt' ;;
        'hook npm' | 'hook pip' | 'hook make') words='install uninstall status' ;;
        'config check')
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$current")
            return
            ;;
        'preset show') words=$(_srt_presets) ;;
        esac
    else
        case "$verb ${COMP_WORDS[at]} ${COMP_WORDS[at + 1]}" in
        'hook git install' | 'hook git uninstall') words='--local --global --shim --dry-run --yes' ;;
        'hook make install') words='--recipes --dry-run --yes' ;;
        'hook npm install' | 'hook npm uninstall' | 'hook pip install' | 'hook pip uninstall' | 'hook make uninstall') words='--dry-run --yes' ;;
        'hook git adopt' | 'hook git review') words='--dry-run --yes' ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _srt srt
