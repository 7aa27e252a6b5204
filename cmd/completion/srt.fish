# Completion of srt for fish: srt completion fish | source

# The words after srt without srt's own options and their values: the verb, and
# all words of a command, with the -- before it.
function __srt_words
    set -l skip 0
    set -l verb 0
    set -l all 0
    set -l tokens (commandline -opc)
    set -e tokens[1]
    for token in $tokens
        if test $all = 1
            printf '%s\n' $token
            continue
        end
        if test $skip = 1
            set skip 0
            continue
        end
        switch $token
            case --
                set all 1
                printf '%s\n' $token
            case -s -c --line --settings --preset --control-fd --limit '--limit=*' '--allow-*' '--deny-*'
                string match -q -- '*=*' $token; or set skip 1
            case '-*'
            case '*'
                if test $verb = 1; or not contains -- $token run explain route
                    set all 1
                end
                set verb 1
                printf '%s\n' $token
        end
    end
end

# True at the first word.
function __srt_first
    set -l words (__srt_words)
    test (count $words) = 0
end

# True behind the words given.
function __srt_after
    set -l words (__srt_words)
    test "$words" = "$argv"
end

# True where the options of run may stand.
function __srt_rules
    __srt_after run; or __srt_after explain
end

# True where srt's own options may stand.
function __srt_options
    __srt_first; or __srt_rules
end

# True within the words of a command.
function __srt_command
    set -l words (__srt_words)
    test (count $words) -gt 0; or return 1
    contains -- $words[1] init install uninstall status violations why allow learn events hook doctor config trust untrust preset version completion; and return 1
    return 0
end

# Completes the command as if srt were not there.
function __srt_complete_command
    set -l words (__srt_words)
    set -l current (commandline -ct)
    contains -- $words[1] run explain route; and set -e words[1]
    test "$words[1]" = --; and set -e words[1]
    test (count $words) -gt 0; or not string match -q -- '-*' $current; or return
    complete --do-complete=(string join ' ' -- (string escape -- $words) $current)
end

function __srt_presets
    srt preset list 2>/dev/null | string match -r '^[^ ]+'
end

complete -c srt -f
complete -c srt -n __srt_options -s s -l settings -r -F -d 'Read settings from a file, in place of yours'
complete -c srt -n __srt_options -l preset -x -a '(__srt_presets) none' -d 'Use a preset, or none'
complete -c srt -n __srt_options -s c -l line -x -d 'Run a shell line'
complete -c srt -n __srt_options -s d -l debug -d 'Say what is done'
complete -c srt -n __srt_options -l control-fd -x -d 'Read new settings from a descriptor'
complete -c srt -n __srt_first -s h -l help -d 'Show help'
complete -c srt -n __srt_first -s V -l version -d 'Show the version'

complete -c srt -n __srt_first -a run -d 'Run a command, with rules of its own'
complete -c srt -n __srt_first -a git -d 'Run git with its hooks in a sandbox'
complete -c srt -n __srt_first -a route -d 'Run a command in a sandbox if a rule or a preset matches it'
complete -c srt -n __srt_first -a init -d 'Print the integration of a shell'
complete -c srt -n __srt_first -a install -d 'Put the integration into the start-up file of your shell'
complete -c srt -n __srt_first -a uninstall -d 'Take it out again'
complete -c srt -n __srt_first -a status -d 'Show what is active in this shell'
complete -c srt -n __srt_first -a hook -d 'Guard what runs without your shell'
complete -c srt -n __srt_first -a explain -d 'Show what would run, and why'
complete -c srt -n __srt_first -a violations -d 'List what was blocked'
complete -c srt -n __srt_first -a why -d 'Explain why something is blocked or allowed'
complete -c srt -n __srt_first -a allow -d 'Allow what was blocked'
complete -c srt -n __srt_first -a learn -d 'Run a command, and propose the rules that it needs'
complete -c srt -n __srt_first -a events -d 'Send what was blocked elsewhere'
complete -c srt -n __srt_first -a doctor -d 'Try out what this system can enforce'
complete -c srt -n __srt_first -a config -d 'Show and check settings'
complete -c srt -n __srt_first -a trust -d 'Let the settings of a repository open what they ask for'
complete -c srt -n __srt_first -a untrust -d 'Take that back'
complete -c srt -n __srt_first -a preset -d 'Show the named policies for tools'
complete -c srt -n __srt_first -a version -d 'Show the version'
complete -c srt -n __srt_first -a completion -d 'Print a completion script'
complete -c srt -n __srt_first -a '(__fish_complete_command)'
complete -c srt -n __srt_command -a '(__srt_complete_command)'

complete -c srt -n __srt_rules -l allow-write -r -F -d 'Allow writing a path'
complete -c srt -n __srt_rules -l deny-write -r -F -d 'Deny writing a path'
complete -c srt -n __srt_rules -l allow-read -r -F -d 'Allow reading a path'
complete -c srt -n __srt_rules -l deny-read -r -F -d 'Hide a path'
complete -c srt -n __srt_rules -l allow-domain -x -d 'Allow connections to a host'
complete -c srt -n __srt_rules -l deny-domain -x -d 'Deny connections to a host'
complete -c srt -n __srt_rules -l limit -x -a 'memory= processes= cpu= time= tmp=' -d 'Limit what the command uses'
complete -c srt -n __srt_rules -l allow-weaker -x -a limits -d 'Accept a weaker form'
complete -c srt -n __srt_rules -l no-project -d 'Leave out what the repository brings along'
complete -c srt -n __srt_rules -l yes -d 'Let . be writable even if it is the home folder'
complete -c srt -n '__srt_after explain' -l json -d 'Print JSON'
complete -c srt -n '__srt_after explain' -l seatbelt -d 'Print the profile for macOS'
complete -c srt -n '__srt_after doctor' -l json -d 'Print JSON'
complete -c srt -n '__srt_after violations' -l follow -d 'Go on with what is blocked'
complete -c srt -n '__srt_after violations' -l json -d 'Print JSON'
complete -c srt -n '__srt_after violations' -l since -x -d 'Only since a time'
complete -c srt -n '__srt_after violations' -l kind -x -d 'Only a kind'
complete -c srt -n '__srt_after violations' -l program -x -d 'Only a program'
complete -c srt -n '__srt_after violations' -l here -d 'Only commands of this folder'
complete -c srt -n '__srt_after violations' -l all -d 'All of them'
complete -c srt -n '__srt_after violations' -l clear -d 'Empty the log'
complete -c srt -n '__srt_after why' -l json -d 'Print JSON'
complete -c srt -n '__srt_after allow' -l last -d 'All of the last command'
complete -c srt -n '__srt_after allow' -l user -d 'In your settings'
complete -c srt -n '__srt_after allow' -l project -d 'In those of this folder'
complete -c srt -n '__srt_after allow' -l once -d 'Run it again with it'
complete -c srt -n '__srt_after allow' -l yes -d 'Do not ask'
complete -c srt -n '__srt_after allow' -l dry-run -d 'Change nothing'
complete -c srt -n '__srt_after allow' -l force -d 'Also what should not be opened lightly'
complete -c srt -n '__srt_after learn' -l output -x -d 'Write the rules to a file'
complete -c srt -n '__srt_after learn' -l write -d 'Write them to .srt.toml'
complete -c srt -n '__srt_after learn' -l yes -d 'Do not ask'
complete -c srt -n '__srt_after events export' -l otlp -x -d 'The collector'
complete -c srt -n '__srt_after events export' -l since -x -d 'Only since a time'
complete -c srt -n '__srt_after events export' -l follow -d 'Go on'
complete -c srt -n '__srt_after events' -a export
complete -c srt -n '__srt_after config' -a 'show check path schema'
complete -c srt -n '__srt_after config show' -l origin -d 'Add where each entry was written'
complete -c srt -n '__srt_after config check' -F
complete -c srt -n '__srt_after trust' -l list -d 'List what is trusted'
complete -c srt -n '__srt_after trust' -l yes -d 'Do not ask'
complete -c srt -n '__srt_after trust; or __srt_after untrust' -a '(__fish_complete_directories)'
complete -c srt -n '__srt_after preset' -a 'list show'
complete -c srt -n '__srt_after preset show' -a '(__srt_presets)'
complete -c srt -n '__srt_after completion' -a 'bash zsh fish'
complete -c srt -n '__srt_after init' -a 'zsh bash fish'
complete -c srt -n '__srt_after init' -l git -x -a 'hooks all off' -d 'What the function of git sends to srt git'
for verb in install uninstall
    complete -c srt -n "__srt_after $verb" -l shell -x -a 'zsh bash fish' -d 'The shell'
    complete -c srt -n "__srt_after $verb" -l dry-run -d 'Change nothing'
    complete -c srt -n "__srt_after $verb" -l yes -d 'Do not ask'
end
complete -c srt -n '__srt_after hook' -a git -d 'Hooks of git'
complete -c srt -n '__srt_after hook' -a npm -d 'Scripts of packages'
complete -c srt -n '__srt_after hook npm' -a 'install uninstall status'
for verb in install uninstall
    complete -c srt -n "__srt_after hook npm $verb" -l dry-run -d 'Change nothing'
    complete -c srt -n "__srt_after hook npm $verb" -l yes -d 'Do not ask'
end
complete -c srt -n '__srt_after hook git' -a 'install uninstall status review adopt'
for verb in install uninstall
    complete -c srt -n "__srt_after hook git $verb" -l local -d 'In this repository'
    complete -c srt -n "__srt_after hook git $verb" -l global -d 'In all repositories'
    complete -c srt -n "__srt_after hook git $verb" -l shim -d 'On the PATH'
end
for verb in install uninstall review adopt
    complete -c srt -n "__srt_after hook git $verb" -l dry-run -d 'Change nothing'
    complete -c srt -n "__srt_after hook git $verb" -l yes -d 'Do not ask'
end
complete -c srt -n '__srt_after hook' -a pip -d 'Builds of packages of Python'
complete -c srt -n '__srt_after hook' -a make -d 'Recipes'
complete -c srt -n '__srt_after hook make install' -l recipes -d 'Each recipe too'
for tool in pip make
    complete -c srt -n "__srt_after hook $tool" -a 'install uninstall status'
    for verb in install uninstall
        complete -c srt -n "__srt_after hook $tool $verb" -l dry-run -d 'Change nothing'
        complete -c srt -n "__srt_after hook $tool $verb" -l yes -d 'Do not ask'
    end
end
