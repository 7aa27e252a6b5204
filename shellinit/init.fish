# srt for fish. Above are _srt_bin, _srt_shims, _srt_names, _srt_whole, _srt_git and _srt_reads.
#
# fish waits for a function even where & stands behind it: one called python would hold
# up start-up files that run python in the background. So shims on the PATH stand for
# the commands, and functions, where there is no other way, are there only while a line
# runs that was typed.

function _srt_gone
    echo "srt: error: $_srt_bin is missing: $argv[1] does not run without it" >&2
    echo 'srt: hint: srt off lets commands of this shell run without a sandbox' >&2
    return 127
end

# True where a shell reads its program from another program.
function _srt_piped
    set -l skip 0
    for word in $argv
        if test $skip = 1
            set skip 0
            continue
        end
        switch $word
            case '/dev/fd/*' '/proc/*/fd/*' '*/.psub.*'
                return 0
            case /dev/stdin
                break
            case -o -O +o +O --rcfile --init-file
                set skip 1
            case '--*'
            case '-*c*'
                string match -qr -- '\(.*(curl|wget)' "$_srt_line"
                return
            case '-*s*'
                break
            case '-*' '+*'
            case '*'
                return 1
        end
    end
    # The builtin would look at fish's own input.
    not command test -t 0
end

# True where python may run what a preset is about: a module, or setup.py. srt route
# looks closer.
function _srt_module
    string match -qr -- '^(-m.*|-[^-].*m|(.*/)?setup\.py)$' $argv
end

# True where python reads its program from a pipe, in a line that fetches something.
function _srt_fetched
    string match -qr -- 'curl|wget' "$_srt_line"; or return 1
    set -l skip 0
    for word in $argv
        if test $skip = 1
            set skip 0
            continue
        end
        switch $word
            case -
                break
            case -W -X
                set skip 1
            case '--*'
            case '-*c*'
                return 1
            case '-*'
            case '*'
                return 1
        end
    end
    command test -p /dev/stdin
end

# True where git runs no hooks, by the name of its command. srt git looks closer.
function _srt_plain
    while set -q argv[1]
        switch $argv[1]
            case -C -c --git-dir --work-tree --namespace --config-env --super-prefix --attr-source --shallow-file
                set -e argv[1]
            case '-*'
            case '*'
                contains -- $argv[1] $_srt_reads; and return 0
                test $_srt_git = hooks; or return 1
                switch "$argv[1] $argv[2] $argv[-1]"
                    case 'symbolic-ref -d *' 'symbolic-ref --delete *'
                        return 1
                    case 'branch --show-current *' 'stash list *' 'symbolic-ref * HEAD'
                        return 0 # what prompts ask
                end
                return 1
        end
        set -e argv[1]
    end
    return 0
end

function _srt_call
    if test -x $_srt_bin
        $_srt_bin $argv[1] -- $argv[2..]
    else
        _srt_gone $argv[2]
    end
end

# Takes over the names: _srt_asked are those of interpreters, which have no shim,
# _srt_shimmed those that may have one, _srt_bare those that should and have none. No
# function of fish has a slash in its name.
function _srt_take
    set -g _srt_asked (string match -r -- '^(?:bash|sh|git|php|python|python3|python3\..*)$' $_srt_names)
    set -g _srt_shimmed (string match -rv -- '^(bash|sh|git|php|python|python3|python3\..*)$|/' $_srt_names)
    contains -- git $_srt_whole; and set -ga _srt_shimmed git
    set -g _srt_bare
    for n in $_srt_shimmed
        if not test -e $_srt_shims/$n; and command -q $n
            set -ga _srt_bare $n
        end
    end
    for n in $_srt_abbrs
        abbr --erase -- $n
    end
    set -g _srt_abbrs
    for n in (string match '*/*' -- $_srt_names)
        abbr --query -- $n; and continue
        abbr --add --global -- $n "srt route -- $n"
        set -ga _srt_abbrs $n
    end
end

# Defines the function of an interpreter for this line.
function _srt_interpreter
    functions -q $argv[1]; and return
    if not functions -q _srt_as_$argv[1]
        set -l before
        set -l route true
        switch $argv[1]
            case bash sh
                set before "if _srt_piped \$argv; _srt_call run $argv[1] \$argv; else"
                set route "string match -qr -- '^(.*/)?configure\$' \"\$argv[1]\""
            case 'python*'
                set before "if _srt_fetched \$argv; _srt_call run $argv[1] \$argv; else"
                set route '_srt_module $argv'
            case git
                set before "if not contains -- git \$_srt_whole; and not _srt_plain \$argv
                    if test -x \$_srt_bin; \$_srt_bin git -- \$argv; else; _srt_gone git; end
                else"
                set route false
        end
        echo "function _srt_as_$argv[1]
            $before if $route; or contains -- $argv[1] \$_srt_whole
                _srt_call route $argv[1] \$argv
            else
                command $argv[1] \$argv
            end
        end" | source
    end
    functions -c _srt_as_$argv[1] $argv[1]
    set -ga _srt_mine $argv[1]
end

# Defines the functions that a line needs, but for names that have one of the user's.
function _srt_preexec --on-event fish_preexec
    test -z "$_srt_mine"; or _srt_postexec
    set -g _srt_line "$argv"
    test "$_srt_state" = on; or return
    # Something in the line must say why, but for a shell in the foreground. One look
    # settles most lines.
    set -l want bash sh $_srt_whole
    if string match -qr -- '&|-\S*m|setup\.py|composer' "$_srt_line"
        string match -qr -- '(^|[^&<>|])&([^&>|]|$)' "$_srt_line"
        and not string match -qr -- '[|<(]|configure' "$_srt_line"
        and set want $_srt_whole
        # What is most often run in the background, and is no program of others.
        set -l line (string replace -ra -- '-m\s*http\.server' '' "$_srt_line")
        string match -qr -- '-\S*m|setup\.py' "$line"
        and set -a want (string match 'python*' -- $_srt_asked)
        string match -q '*composer*' -- "$_srt_line"; and set -a want php
    end
    string match -qr -- '(curl|wget).*\|.*python' "$_srt_line"
    and set -a want (string match 'python*' -- $_srt_asked)
    string match -qr -- '\bgit\b' "$_srt_line"; and set -a want git
    for n in $want
        contains -- $n $_srt_asked; and _srt_interpreter $n
    end
    set -l bare $_srt_bare
    # Links that lead nowhere are passed over: the programs behind them would run.
    test -x $_srt_bin -a -d $_srt_shims; or set bare $_srt_shimmed
    for n in $bare
        functions -q $n; and continue
        echo "function $n; _srt_call route $n \$argv; end" | source
        set -ga _srt_mine $n
    end
end

function _srt_postexec --on-event fish_postexec
    for n in $_srt_mine
        functions -e $n
    end
    set -g _srt_mine
end

# Puts the shims first in the PATH, whoever changes it, and asks for more shims once
# there are programs that had none.
function _srt_path --on-variable PATH
    test "$_srt_state" = on; or return
    # Setting it calls us, or somebody else who wants to be the first.
    set -q _srt_busy; and return
    set -g _srt_busy
    if test "$PATH[1]" != "$_srt_shims"
        set -gx PATH $_srt_shims (_srt_rest)
    end
    for n in $_srt_shimmed
        test -e $_srt_shims/$n; and continue
        if command -q $n
            _srt_ask
            break
        end
    end
    set -e _srt_busy
end

# Asks srt which names there are here and now, which makes shims too.
function _srt_ask
    set -g _srt_seen "$PATH"
    set -g _srt_stale
    test -x $_srt_bin; or return
    # When srt cannot tell, the names stay.
    if set -l reply ($_srt_bin init --names --git=$_srt_git fish 2>/dev/null)
        set -g _srt_names (string split -n ' ' -- $reply[1])
        set -g _srt_whole (string split -n ' ' -- $reply[2])
    end
    _srt_take
end

# Looks for the settings of the repository around the working folder, as srt does, and
# starts nothing for it.
function _srt_look
    set -g _srt_pwd $PWD
    set -l dir (builtin pwd -P 2>/dev/null)
    set -l found
    while test -n "$dir"
        for name in .srt.toml .srt.local.toml .sandbox/settings.json
            test -e $dir/$name; and set -a found $dir/$name
        end
        test -e $dir/.git; and break
        set dir (string replace -r '/[^/]*$' '' -- $dir)
    end
    test "$found" = "$_srt_files"; or set -g _srt_stale 1
    set -g _srt_files $found
end

function _srt_prompt --on-event fish_prompt
    test "$_srt_state" = on; or return
    test "$PWD" = "$_srt_pwd"; or _srt_look
    test -z "$_srt_stale" -a "$PATH" = "$_srt_seen"; or _srt_ask
end

# The PATH without the shims.
function _srt_rest
    for dir in $PATH
        test "$dir" = "$_srt_shims"; or printf '%s\n' $dir
    end
end

function _srt_on
    set -g _srt_state on
    _srt_take
    _srt_path
    set -g _srt_files
    _srt_look
    set -g _srt_seen "$PATH"
    set -g _srt_stale $argv
    # The rest of the line that says srt on.
    set -q _srt_line; and _srt_preexec $_srt_line
end

function _srt_off
    set -g _srt_state off
    _srt_postexec
    for n in $_srt_abbrs
        abbr --erase -- $n
    end
    set -g _srt_abbrs
    contains -- $_srt_shims $PATH; and set -gx PATH (_srt_rest)
end

function srt
    switch "$argv[1]"
        case off
            if test "$_srt_state" = on
                echo 'srt: off: the commands of this shell run without a sandbox, until srt on' >&2
                _srt_off
            end
        case on
            test "$_srt_state" = on; or _srt_on 1
        case deactivate
            test "$_srt_state" = off; or _srt_off
            functions -e (functions --all --names | string match '_srt_*') srt
            set -eg (set --names --global | string match '_srt_*')
        case trust untrust
            set -g _srt_stale 1
            $_srt_bin $argv
        case status doctor hook
            set -l foreign
            for n in $_srt_names
                contains -- $n $_srt_mine; or not functions -q $n; or set -a foreign "function $n"
            end
            # Without it another srt may be there that can tell.
            set -l bin $_srt_bin
            test -x $bin; or set bin (command -s srt; or echo $_srt_bin)
            _SRT_GIT=$_srt_git _SRT_SHELL="fish $_srt_state $_srt_bin" _SRT_FOREIGN=(string join \n -- $foreign | string collect) $bin $argv
        case '*'
            $_srt_bin $argv
    end
end

set -q _srt_state; and _srt_off
_srt_on
