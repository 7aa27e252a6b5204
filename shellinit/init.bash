# srt for bash. Above are _srt_bin, _srt_shims, _srt_names, _srt_whole, _srt_git and _srt_reads. It
# also reads where set -eu holds.
# shellcheck shell=bash disable=SC2154,SC2016,SC2317

_srt_gone() {
    builtin printf '%s\n' "srt: error: $_srt_bin is missing: $1 does not run without it" \
        'srt: hint: srt off lets commands of this shell run without a sandbox' >&2
    return 127
}

# True where a shell reads its program from another program.
_srt_piped() {
    local line
    while (($#)); do
        case $1 in
        /dev/fd/* | /proc/*/fd/*) return 0 ;;
        /dev/stdin) break ;;
        -[oO] | +[oO] | --rcfile | --init-file) builtin shift ;;
        --*) ;;
        -*c*)
            # A fork, but none that a command of no interest pays for.
            line=$(HISTTIMEFORMAT='' builtin history 1)
            [[ $line == *'$('*curl* || $line == *'$('*wget* || $line == *'`'*curl* || $line == *'`'*wget* ||
                $line == *'<('*curl* || $line == *'<('*wget* ]]
            return
            ;;
        -*s*) break ;;
        [-+]*) ;;
        *) return 1 ;;
        esac
        (($#)) && builtin shift
    done
    [[ ! -t 0 ]]
}

# True where python reads its program from a pipe, in a line that fetches something.
_srt_fetched() {
    local line
    [[ -p /dev/stdin ]] || return 1
    while (($#)); do
        case $1 in
        -) break ;;
        -[WX]) builtin shift ;;
        --*) ;;
        -*c*) return 1 ;;
        -*) ;;
        *) return 1 ;;
        esac
        (($#)) && builtin shift
    done
    line=$(HISTTIMEFORMAT='' builtin history 1)
    [[ $line == *curl* || $line == *wget* ]]
}

# True where git runs no hooks, by the name of its command. srt git looks closer.
_srt_plain() {
    while (($#)); do
        case $1 in
        -C | -c | --git-dir | --work-tree | --namespace | --config-env | --super-prefix | --attr-source | --shallow-file) builtin shift ;;
        -*) ;;
        *)
            [[ $_srt_reads == *" $1 "* ]] && return 0
            [[ $_srt_git == hooks ]] || return 1
            case "$1 ${2-} ${!#}" in
            'symbolic-ref -d '* | 'symbolic-ref --delete '*) return 1 ;;
            'branch --show-current '* | 'stash list '* | 'symbolic-ref '*' HEAD') return 0 ;; # what prompts ask
            esac
            return 1
            ;;
        esac
        (($#)) && builtin shift
    done
    return 0
}

# True where python may run what a preset is about: a module, or setup.py. srt route
# looks closer.
_srt_module() {
    local word
    for word; do
        case $word in -m* | -[!-]*m | setup.py | */setup.py) return 0 ;; esac
    done
    return 1
}

# Defines the function of a name. The names come from srt and hold nothing that needs
# quotes.
_srt_function() {
    local route='if [[ -x $_srt_bin ]]; then "$_srt_bin" route -- NAME "$@"; else _srt_gone NAME; fi'
    local run=${route/route/run} free='command NAME "$@"' text
    [[ $_srt_whole == *" $1 "* ]] && free=$route
    case $1 in
    bash | sh) text="if _srt_piped \"\$@\"; then $run; elif [[ \${1-} == configure || \${1-} == */configure ]]; then $route; else $free; fi" ;;
    git) text="if _srt_plain \"\$@\"; then $free; elif [[ -x \$_srt_bin ]]; then \"\$_srt_bin\" git -- \"\$@\"; else _srt_gone git; fi" ;;
    python | python3 | python3.*) text="if _srt_module \"\$@\"; then $route; elif _srt_fetched \"\$@\"; then $run; else $free; fi" ;;
    *) text=$route ;;
    esac
    [[ $1 == git && $free == "$route" ]] && text=$route
    builtin eval "function $1 { ${text//NAME/$1}; }"
}

# Removes the function of a name, if it is ours.
_srt_forget() {
    builtin declare -F "$1" >/dev/null || return 0
    [[ $(builtin declare -f "$1") == *_srt_bin* ]] && builtin unset -f "$1"
    return 0
}

# Defines what is not there. A function of the user's stays, but for one that loads
# its tool at the first use and then removes itself: it is called by ours.
_srt_define() {
    local n text loaders
    # One look at all bodies, since each look is a fork.
    loaders=$(builtin declare -f "${_srt_names[@]}" nvm || builtin true)
    for n in "${_srt_names[@]}" nvm; do
        # A posix shell has no functions of such names.
        [[ $n == */* && :${SHELLOPTS-}: == *:posix:* ]] && continue
        if builtin declare -F "$n" >/dev/null; then
            [[ $loaders == *'unset -f'* ]] || continue
            text=$(builtin declare -f "$n")
            case $text in
            *_srt_*) ;;
            *'unset -f'*"$n"*) _srt_wrap "$n" "$text" ;;
            esac
        elif [[ $n != nvm ]]; then
            _srt_function "$n"
        fi
    done
}

_srt_wrap() {
    builtin eval "function _srt_lazy_$1 ${2#*()}"
    builtin eval "function $1 { _srt_load $1 \"\$@\"; }"
}

# Lets a loader load, and then calls what it has loaded, by our function if there is
# one for it.
_srt_load() {
    local n=$1 s=0 text
    builtin shift
    text=$(builtin declare -f "_srt_lazy_$n")
    builtin unset -f "_srt_lazy_$n"
    # With the keyword no alias of that name gets in between.
    builtin eval "function $n ${text#*()}"
    if [[ $n == nvm ]]; then
        nvm "$@" || s=$?
    else
        "$n" --version >/dev/null 2>&1 </dev/null || s=0
    fi
    _srt_define
    _srt_head
    [[ $n == nvm ]] && return "$s"
    text=$(builtin declare -f "$n" || builtin true)
    [[ $text == *_srt_load* ]] && return 127
    "$n" "$@"
}

# Takes the shims out of the PATH, all else in it staying as it is.
_srt_tail() {
    _srt_path=:$PATH:
    while [[ $_srt_path == *":$_srt_shims:"* ]]; do
        _srt_path=${_srt_path%%":$_srt_shims:"*}:${_srt_path#*":$_srt_shims:"}
    done
    _srt_path=${_srt_path#:}
    _srt_path=${_srt_path%:}
}

_srt_head() {
    [[ $PATH == "$_srt_shims":* ]] && return
    _srt_tail
    PATH=$_srt_shims:$_srt_path
}

# Asks srt which names there are here and now, which makes shims too.
_srt_ask() {
    local text names n IFS=' '
    _srt_seen=$PATH _srt_stale=''
    text=$("$_srt_bin" init --names --git="$_srt_git" bash 2>/dev/null) || return 0
    [[ -n $text ]] || return 0
    names=${text%%$'\n'*} text=${text#*$'\n'}
    for n in "${_srt_names[@]}"; do
        [[ " $names " == *" $n "* && ($text == "$_srt_whole" || $text$_srt_whole != *" $n "*) ]] || _srt_forget "$n"
    done
    # shellcheck disable=SC2206 # no name holds a pattern
    _srt_names=($names)
    _srt_whole=$text
    # The shell remembers where a program is for which there may now be a shim.
    builtin hash -r 2>/dev/null || builtin true
}

# Looks for the settings of the repository around the working folder, as srt does, and
# starts nothing for it. The kernel takes .. for the folder above the real one.
_srt_look() {
    local dir=$PWD name depth same=1
    local -a files=()
    _srt_pwd=$PWD
    for ((depth = 0; depth < 100; depth++)); do
        for name in .srt.toml .srt.local.toml .sandbox/settings.json; do
            [[ -e $dir/$name ]] && files+=("$dir/$name")
        done
        [[ -e $dir/.git || $dir -ef / ]] && break
        dir+=/..
    done
    [[ ${#files[@]} == "${#_srt_files[@]}" ]] || same=
    for ((depth = 0; depth < ${#files[@]}; depth++)); do
        [[ ${files[depth]} -ef ${_srt_files[depth]-} ]] || same=
    done
    _srt_files=(${files[@]+"${files[@]}"})
    [[ -n $same ]] || _srt_stale=1
}

_srt_prompt() {
    local s=$? n
    # Others may keep the PROMPT_COMMAND that they found, and run it whatever it is now.
    if [[ $_srt_state != on ]]; then
        [[ $- == *e* ]] && return 0
        return "$s"
    fi
    [[ $PATH == "$_srt_shims":* ]] || _srt_head
    [[ $PWD == "$_srt_pwd" ]] || _srt_look
    [[ -z $_srt_stale && $PATH == "$_srt_seen" ]] || _srt_ask
    if [[ -z $_srt_settled ]]; then
        _srt_settled=1
        _srt_define
    fi
    # One question about all costs a tenth of one about each.
    builtin declare -F "${_srt_names[@]}" >/dev/null || for n in "${_srt_names[@]}"; do
        builtin declare -F "$n" || {
            [[ $n == */* && :${SHELLOPTS-}: == *:posix:* ]] || _srt_function "$n"
        }
    done >/dev/null
    # What stands behind us sees the status of the command; but where set -e holds it
    # would end the shell.
    [[ $- == *e* ]] && return 0
    return "$s"
}

# Notes that somebody has put another PROMPT_COMMAND in the place of the one with us in
# it, and may run that.
_srt_lost() {
    _srt_elsewhere=${_srt_elsewhere-}
    [[ ${_srt_state-} != on || $(builtin declare -p PROMPT_COMMAND 2>/dev/null) == *_srt_prompt* ]] || _srt_elsewhere=1
}

_srt_on() {
    local n found=
    _srt_lost
    _srt_state=on _srt_settled='' _srt_files=() _srt_stale=''
    if [[ $(builtin declare -p PROMPT_COMMAND 2>/dev/null) == 'declare -a'* ]]; then
        for n in "${PROMPT_COMMAND[@]}"; do
            [[ $n == _srt_prompt ]] && found=1
        done
        [[ -n $found ]] || PROMPT_COMMAND+=(_srt_prompt)
    elif [[ -z ${PROMPT_COMMAND+x} ]]; then
        _srt_no_prompt=1
        PROMPT_COMMAND=_srt_prompt
    else
        # A line of its own: what is there may end in a semicolon or a comment.
        [[ $'\n'$PROMPT_COMMAND$'\n' == *$'\n_srt_prompt\n'* ]] ||
            PROMPT_COMMAND+=$'\n_srt_prompt'
    fi
    _srt_head || builtin true
    _srt_seen=$PATH
    _srt_look
    _srt_stale=${1-}
    _srt_define
}

_srt_off() {
    local n text
    local -a kept=()
    _srt_lost
    _srt_state=off
    if [[ $(builtin declare -p PROMPT_COMMAND 2>/dev/null) == 'declare -a'* ]]; then
        for n in "${PROMPT_COMMAND[@]}"; do
            [[ $n == _srt_prompt ]] || kept+=("$n")
        done
        PROMPT_COMMAND=(${kept[@]+"${kept[@]}"})
    elif [[ -n ${PROMPT_COMMAND+x} ]]; then
        text=$'\n'$PROMPT_COMMAND
        text=${text/$'\n_srt_prompt'/}
        PROMPT_COMMAND=${text#$'\n'}
        if [[ -z $PROMPT_COMMAND && -n ${_srt_no_prompt-} ]]; then
            builtin unset PROMPT_COMMAND
        fi
    fi
    builtin unset _srt_no_prompt
    for n in "${_srt_names[@]}" nvm; do
        builtin declare -F "$n" >/dev/null || continue
        text=$(builtin declare -f "$n")
        case $text in
        *_srt_load*)
            builtin unset -f "$n"
            text=$(builtin declare -f "_srt_lazy_$n")
            builtin unset -f "_srt_lazy_$n"
            builtin eval "function $n ${text#*()}"
            ;;
        *_srt_bin*) builtin unset -f "$n" ;;
        esac
    done
    _srt_tail
    PATH=$_srt_path
}

srt() {
    local n text
    case ${1-} in
    off)
        if [[ $_srt_state == on ]]; then
            builtin printf '%s\n' 'srt: off: the commands of this shell run without a sandbox, until srt on' >&2
            _srt_off
        fi
        ;;
    on) [[ $_srt_state == on ]] || _srt_on 1 ;;
    trust | untrust)
        _srt_stale=1
        "$_srt_bin" "$@"
        ;;
    deactivate)
        [[ $_srt_state == off ]] || _srt_off
        local elsewhere=$_srt_elsewhere IFS=$'\n'
        for n in $(builtin compgen -A function _srt_); do builtin unset -f "$n"; done
        for n in $(builtin compgen -v _srt_); do builtin unset "$n"; done
        builtin unset -f srt
        # What still runs it must not fail at each prompt.
        if [[ -n $elsewhere ]]; then
            _srt_prompt() { builtin return; }
        fi
        ;;
    status | doctor | hook)
        local foreign=
        for n in "${_srt_names[@]}"; do
            if builtin declare -F "$n" >/dev/null && [[ $(builtin declare -f "$n") != *_srt_* ]]; then
                foreign+="function $n"$'\n'
            fi
            builtin alias "$n" >/dev/null 2>&1 || continue
            text=$(builtin alias "$n")
            foreign+=${text//$'\n'/ }$'\n'
        done
        # Without it another srt may be there that can tell.
        text=$_srt_bin
        [[ -x $text ]] || text=$(builtin type -P srt) || text=$_srt_bin
        _SRT_GIT=$_srt_git _SRT_SHELL="bash $_srt_state $_srt_bin" _SRT_FOREIGN=$foreign "$text" "$@"
        ;;
    *) "$_srt_bin" "$@" ;;
    esac
}

_srt_on
