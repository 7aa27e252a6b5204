# srt for zsh. Above are _srt_bin, _srt_shims, _srt_names, _srt_whole, _srt_git and _srt_reads; all of it is evaluated
# with the options of zsh and without aliases, which the functions keep: what the user
# has set does not reach them.

typeset -gA _srt_mine _srt_lazy
typeset -ga _srt_files
typeset -g _srt_state=on _srt_line= _srt_seen= _srt_settled= _srt_pwd= _srt_stale=

function _srt_gone {
  print -ru2 -- "srt: error: $_srt_bin is missing: $1 does not run without it"
  print -ru2 -- "srt: hint: srt off lets commands of this shell run without a sandbox"
  return 127
}

# The body of the function of a name.
function _srt_body {
  local route='if [[ -x $_srt_bin ]]; then "$_srt_bin" route -- NAME "$@"; else _srt_gone NAME; fi'
  local run=${route/route/run} free='command NAME "$@"'
  [[ $_srt_whole == *" $1 "* ]] && free=$route
  [[ $1 == git && $free == $route ]] && { REPLY=${route//NAME/git}; return }
  case $1 in
    bash|sh) REPLY='if _srt_piped "$@"; then '$run'; elif [[ ${1-} == (configure|*/configure) ]]; then '$route'; else '$free'; fi' ;;
    git) REPLY='if _srt_plain "$@"; then '$free'; elif [[ -x $_srt_bin ]]; then "$_srt_bin" git -- "$@"; else _srt_gone git; fi' ;;
    python|python3|python3.*) REPLY='if _srt_module "$@"; then '$route'; elif _srt_fetched "$@"; then '$run'; else '$free'; fi' ;;
    *) REPLY=$route ;;
  esac
  REPLY=${REPLY//NAME/$1}
}

# True where git runs no hooks, by the name of its command. srt git looks closer.
function _srt_plain {
  while (( $# )); do
    case $1 in
      -C|-c|--git-dir|--work-tree|--namespace|--config-env|--super-prefix|--attr-source|--shallow-file) shift ;;
      -*) ;;
      *)
        [[ $_srt_reads == *" $1 "* ]] && return 0
        [[ $_srt_git == hooks ]] || return 1
        case "$1 ${2-} $argv[-1]" in
          'symbolic-ref -d '*|'symbolic-ref --delete '*) return 1 ;;
          'branch --show-current '*|'stash list '*|'symbolic-ref '*' HEAD') return 0 ;; # what prompts ask
        esac
        return 1
        ;;
    esac
    (( $# )) && shift
  done
  return 0
}

# True where python may run what a preset is about: a module, or setup.py. srt route
# looks closer.
function _srt_module {
  local word
  for word; do
    [[ $word == (-m*|-[^-]*m|setup.py|*/setup.py) ]] && return 0
  done
  return 1
}

# True where python reads its program from a pipe, in a line that fetches something.
function _srt_fetched {
  [[ -p /dev/stdin && $_srt_line == *(curl|wget)* ]] || return 1
  while (( $# )); do
    case $1 in
      -) return 0 ;;
      -[WX]) shift ;;
      --*) ;;
      -*c*) return 1 ;;
      -*) ;;
      *) return 1 ;;
    esac
    (( $# )) && shift
  done
  return 0
}

# True where a shell reads its program from another program.
function _srt_piped {
  while (( $# )); do
    case $1 in
      /dev/fd/*|/proc/*/fd/*) return 0 ;;
      /dev/stdin) break ;;
      -[oO]|+[oO]|--rcfile|--init-file) shift ;;
      --*) ;;
      -*c*) [[ $_srt_line == *('$('|'`'|'<(')*(curl|wget)* ]]; return ;;
      -*s*) break ;;
      [-+]*) ;;
      *) return 1 ;;
    esac
    (( $# )) && shift
  done
  [[ ! -t 0 ]]
}

# Defines what is not there. A function of the user's stays, but for one that loads
# its tool at the first use and then removes itself: it is called by ours.
function _srt_define {
  local n REPLY
  for n in $_srt_names; do
    if (( ${+functions[$n]} )); then
      [[ ${functions[$n]} == *(unfunction|unset\ -f)*$n* && ${functions[$n]} != *_srt_* ]] && _srt_wrap $n
      continue
    fi
    _srt_body $n
    functions[$n]=$REPLY
    _srt_mine[$n]=1
  done
  [[ ${functions[nvm]-} == *(unfunction|unset\ -f)*nvm* ]] && _srt_wrap nvm
  return 0
}

function _srt_wrap {
  _srt_lazy[$1]=${functions[$1]}
  functions[$1]='_srt_load '$1' "$@"'
}

# Lets a loader load, and then calls what it has loaded, by our function if there is
# one for it.
function _srt_load {
  local n=$1 s=0
  shift
  # Under another name: zsh must not lose a function that it is in the middle of.
  functions[_srt_first]=${_srt_lazy[$n]}
  if [[ $n == nvm ]]; then
    _srt_first "$@"
    s=$?
  else
    _srt_first --version >/dev/null 2>&1 </dev/null
  fi
  # One that is still there has loaded nothing, and is a function like others.
  if [[ $n != nvm && ${functions[$n]-} == *_srt_load* ]]; then
    _srt_first "$@"
    return
  fi
  local other
  for other in ${(k)_srt_lazy}; do
    [[ ${functions[$other]-} == *_srt_load* ]] || unset "_srt_lazy[$other]"
  done
  _srt_define
  _srt_head
  [[ $n == nvm ]] && return $s
  $n "$@"
}

# Takes the shims out of the PATH, all else in it staying as it is.
function _srt_tail {
  REPLY=:$PATH:
  while [[ $REPLY == *":$_srt_shims:"* ]]; do REPLY=${REPLY/":$_srt_shims:"/:}; done
  REPLY=${${REPLY#:}%:}
}

function _srt_head {
  local REPLY
  [[ $PATH == $_srt_shims:* ]] || { _srt_tail; PATH=$_srt_shims:$REPLY }
}

# Asks srt which names there are here and now, which makes shims too.
function _srt_ask {
  local text n
  local -a names
  typeset -g _srt_seen=$PATH _srt_stale=
  text=$("$_srt_bin" init --names --git=$_srt_git zsh 2>/dev/null) || return 0
  [[ -n $text ]] || return 0
  names=(${=text%%$'\n'*})
  text=${text#*$'\n'}
  for n in $_srt_names; do
    (( ${names[(Ie)$n]} )) && [[ $text == $_srt_whole || $text$_srt_whole != *" $n "* ]] && continue
    [[ ${functions[$n]-} == *_srt_bin* ]] && unset -f -- $n
    unset "_srt_mine[$n]"
  done
  _srt_names=($names)
  typeset -g _srt_whole=$text
  # The shell remembers where a program is for which there may now be a shim.
  rehash
}

# Looks for the settings of the repository around the working folder, as srt does, and
# starts nothing for it. The kernel takes .. for the folder above the real one.
function _srt_look {
  local dir=$PWD name
  local -i depth same=1
  local -a found
  typeset -g _srt_pwd=$PWD
  for (( depth = 0; depth < 100; depth++ )); do
    for name in .srt.toml .srt.local.toml .sandbox/settings.json; do
      [[ -e $dir/$name ]] && found+=($dir/$name)
    done
    [[ -e $dir/.git || $dir -ef / ]] && break
    dir+=/..
  done
  (( $#found == $#_srt_files )) || same=0
  for (( depth = 1; depth <= $#found; depth++ )); do
    [[ $found[depth] -ef ${_srt_files[depth]-} ]] || same=0
  done
  _srt_files=($found)
  (( same )) || typeset -g _srt_stale=1
  return 0
}

function _srt_precmd {
  [[ $PATH == $_srt_shims:* ]] || _srt_head
  [[ $PWD == $_srt_pwd ]] || _srt_look
  [[ -z $_srt_stale && $PATH == $_srt_seen ]] || _srt_ask
  if [[ -z $_srt_settled ]]; then
    typeset -g _srt_settled=1
    _srt_define
    return 0
  fi
  # One question about all costs a tenth of one about each.
  typeset +f -- $_srt_names >/dev/null || _srt_define
  return 0
}

function _srt_preexec { typeset -g _srt_line=$1 }

function _srt_on {
  typeset -g _srt_state=on
  (( ${+precmd_functions} )) || { typeset -ga precmd_functions; typeset -g _srt_no_precmd=1 }
  (( ${+preexec_functions} )) || { typeset -ga preexec_functions; typeset -g _srt_no_preexec=1 }
  precmd_functions=("${(@)precmd_functions:#_srt_precmd}" _srt_precmd)
  preexec_functions=("${(@)preexec_functions:#_srt_preexec}" _srt_preexec)
  _srt_head
  _srt_files=()
  _srt_look
  typeset -g _srt_seen=$PATH _srt_settled= _srt_stale=${1-}
  _srt_define
}

function _srt_off {
  local n REPLY
  typeset -g _srt_state=off
  precmd_functions=("${(@)precmd_functions:#_srt_precmd}")
  preexec_functions=("${(@)preexec_functions:#_srt_preexec}")
  (( ${+_srt_no_precmd} && $#precmd_functions == 0 )) && unset precmd_functions
  (( ${+_srt_no_preexec} && $#preexec_functions == 0 )) && unset preexec_functions
  for n in ${(k)_srt_mine}; do
    [[ ${functions[$n]-} == *_srt_* ]] && unset -f -- $n
  done
  for n in ${(k)_srt_lazy}; do
    [[ ${functions[$n]-} == *_srt_load* ]] && functions[$n]=${_srt_lazy[$n]}
  done
  _srt_mine=() _srt_lazy=()
  unset _srt_no_precmd _srt_no_preexec
  _srt_tail
  PATH=$REPLY
}

function srt {
  case ${1-} in
    off)
      [[ $_srt_state == off ]] || print -ru2 -- "srt: off: the commands of this shell run without a sandbox, until srt on"
      [[ $_srt_state == off ]] || _srt_off
      ;;
    on) [[ $_srt_state == on ]] || _srt_on 1 ;;
    trust|untrust)
      typeset -g _srt_stale=1
      "$_srt_bin" "$@"
      ;;
    deactivate)
      [[ $_srt_state == off ]] || _srt_off
      unset -m '_srt_*'
      unset -f -m '_srt_*'
      unset -f srt
      ;;
    status|doctor|hook)
      local n bin=$_srt_bin
      local -a foreign
      for n in $_srt_names; do
        [[ -n ${functions[$n]-} && ${functions[$n]} != *_srt_* ]] && foreign+=("function $n")
        (( ${+aliases[$n]} )) && foreign+=("alias $n=${aliases[$n]//$'\n'/ }")
      done
      # Without it another srt may be there that can tell.
      [[ -x $bin ]] || bin=${commands[srt]:-$bin}
      _SRT_GIT=$_srt_git _SRT_SHELL="zsh $_srt_state $_srt_bin" _SRT_FOREIGN="${(pj:\n:)foreign}" "$bin" "$@"
      ;;
    *) "$_srt_bin" "$@" ;;
  esac
}

_srt_on
