#compdef srt
# Completion of srt for zsh: eval "$(srt completion zsh)" after compinit, or this
# text as a file _srt in a folder of $fpath.

_srt() {
  local -a globals rules
  globals=(
    '(-s --settings)'{-s,--settings=}'[read settings from a file, in place of yours]:file:_files'
    '--preset=[use a preset, or none]:preset:_srt_presets'
    '(-c --line)'{-c,--line=}'[run a shell line]:line: '
    '(-d --debug)'{-d,--debug}'[say what is done]'
    '--control-fd=[read new settings from a descriptor]:descriptor: '
    '(-h --help)'{-h,--help}'[show help]'
    '(-V --version)'{-V,--version}'[show the version]'
  )
  rules=(
    '*--allow-write=[allow writing a path]:path:_files'
    '*--deny-write=[deny writing a path]:path:_files'
    '*--allow-read=[allow reading a path]:path:_files'
    '*--deny-read=[hide a path]:path:_files'
    '*--allow-domain=[allow connections to a host]:host:_hosts'
    '*--deny-domain=[deny connections to a host]:host:_hosts'
    '*--limit=[limit what the command uses]:limit:_srt_limits'
    '*--allow-weaker=[accept a weaker form of what cannot be fully enforced]:name:(limits)'
    '--no-project[leave out what the repository brings along]'
    '--yes[let . be writable even if it is the home folder]'
  )

  local curcontext=$curcontext state line
  local -A opt_args
  _arguments -C -S -A '-*' $globals '1: :->first' '*:: :->rest' && return

  case $state in
  first)
    local -a verbs
    verbs=(
      'run:run a command, with rules of its own'
      'git:run git with its hooks in a sandbox'
      'route:run a command in a sandbox if a rule or a preset matches it'
      'init:print the integration of a shell'
      'install:put the integration into the start-up file of your shell'
      'uninstall:take it out again'
      'status:show what is active in this shell'
      'hook:guard what runs without your shell'
      'explain:show what would run, and why'
      'violations:list what was blocked'
      'why:explain why something is blocked or allowed'
      'allow:allow what was blocked'
      'learn:run a command, and propose the rules that it needs'
      'events:send what was blocked elsewhere'
      'doctor:try out what this system can enforce'
      'config:show and check settings'
      'trust:let the settings of a repository open what they ask for'
      'untrust:take that back'
      'preset:show the named policies for tools'
      'version:show the version'
      'completion:print a completion script'
    )
    _alternative 'verbs:verb:{_describe -t verbs verb verbs}' 'commands:command:_command_names -e'
    ;;
  rest)
    case $words[1] in
    run) _arguments -S -A '-*' $globals $rules '(-):command:_command_names -e' '*::words:_srt_command' ;;
    explain) _arguments -S -A '-*' $globals $rules '--json[print JSON]' '--seatbelt[print the profile for macOS]' '(-):command:_command_names -e' '*::words:_srt_command' ;;
    route) _arguments -S -A '-*' '(-):command:_command_names -e' '*::words:_srt_command' ;;
    doctor) _arguments '--json[print JSON]' ;;
    events)
      _arguments '1:verb:(export)' '--otlp=[the collector]:value: ' '--since=[only since a time]:value: ' '--follow[go on]'
      ;;
    learn)
      _arguments '--output=[write the rules to a file]:value: ' '--write[write them to .srt.toml]' '--yes[do not ask]'
      ;;
    allow)
      _arguments '--last[all of the last command]' '--user[in your settings]' '--project[in those of this folder]' '--once[run it again with it]' '--yes[do not ask]' '--dry-run[change nothing]' '--force[also what should not be opened lightly]'
      ;;
    why)
      _arguments '--json[print JSON]'
      ;;
    violations)
      _arguments '--follow[go on with what is blocked]' '--json[print JSON]' '--since=[only since a time]:value: ' '*--kind=[only a kind]:value: ' '*--program=[only a program]:value: ' '--here[only commands of this folder]' '--all[all of them]' '--clear[empty the log]'
      ;;
    config)
      _arguments '1:verb:((show\:"print what is in force" check\:"look for mistakes" path\:"name the files" schema\:"print a JSON schema"))' '*:: :->config'
      [[ $state == config ]] && case $words[1] in
      show) _arguments '--origin[add where each entry was written]' ;;
      check) _files ;;
      esac
      ;;
    trust) _arguments '(--yes)--list[list what is trusted]' '(--list)--yes[do not ask]' '1:folder:_files -/' ;;
    untrust) _arguments '1:folder:_files -/' ;;
    preset)
      _arguments '1:verb:((list\:"list them" show\:"print one"))' '2:preset:_srt_presets show'
      ;;
    hook)
      _arguments '1:what:((git\:"hooks of git" npm\:"scripts of packages" pip\:"builds of packages" make\:"recipes"))' '2:verb:((install\:"guard them" uninstall\:"take that back" status\:"show and try what is guarded" review\:"show what has changed" adopt\:"install those of a manager"))' \
        '(--global --shim)--local[in this repository]' '(--local --shim)--global[in all repositories]' '(--local --global)--shim[on the PATH]' '--recipes[each recipe of make]' \
        '--dry-run[change nothing]' '--yes[do not ask]'
      ;;
    install | uninstall)
      _arguments '--shell=[the shell]:shell:(zsh bash fish)' '--dry-run[change nothing]' '--yes[do not ask]'
      ;;
    status) ;;
    init) _arguments '--git=[what the function of git sends to srt git]:what:(hooks all off)' '1:shell:(zsh bash fish)' ;;
    completion) _arguments '1:shell:(bash zsh fish)' ;;
    *) _srt_command ;;
    esac
    ;;
  esac
}

# A command, as if srt were not there.
_srt_command() {
  if [[ $words[1] == -- ]]; then
    shift words
    ((CURRENT--))
  fi
  if ((CURRENT == 1)); then _command_names -e; else _normal; fi
}

_srt_limits() { compadd -S '' memory= processes= cpu= time= tmp= }

_srt_presets() {
  local -a names
  names=(${${(M)${(f)"$(srt preset list 2>/dev/null)"}:#[^ ]*}%% *})
  [[ ${argv[-1]-} == show ]] || names+=(none)
  compadd -a names
}

if [[ ${funcstack[1]} == _srt ]]; then
  _srt "$@"
else
  compdef _srt srt
fi
