# Completion of zsend and zrecv for bash: options and their words as --help says them, host names as
# bash-completion knows them, and behind host: the paths there, asked for over ssh.

# A line for each form of each option: its name, a tab, what it takes ("" or SIZE, a|b|c, [=FILE], ...).
_zx_options() {
  "$1" --help 2>/dev/null | awk '/^  -/ {
    sub(/^  /, ""); sub(/  .*/, "")  # the description comes after two spaces, or on the next line
    n = split($1, names, ","); takes = substr($0, length($1) + 2)
    for (i = 1; i <= n; i++) print names[i] "\t" takes }'
}

# Sets words and cword: COMP_WORDS with what readline has split at ':' and '=' put together again.
_zx_words() {
  local line=$COMP_LINE i word
  words=() cword=0
  for ((i = 0; i < ${#COMP_WORDS[@]}; i++)); do
    word=${COMP_WORDS[i]}
    if [[ $i -gt 0 && $line != [[:space:]]* ]]; then words[-1]+=$word; else words+=("$word"); fi
    [[ $i != "$COMP_CWORD" ]] || cword=$((${#words[@]} - 1))
    line=${line#"${line%%[![:space:]]*}"}
    line=${line#"$word"}
  done
}

# What a typed word means to the shell, without running anything in it.
_zx_unquote() {
  case $1 in
    \'* | \"*) printf '%s' "${1:1}" ;;
    *) printf '%s' "$1" | sed 's/\\\(.\)/\1/g' ;;
  esac
}

# _zx_ssh_words WORD...: sets ssh_words to the options for ssh that stand on the line, and fails when another
# program than ssh is asked for: nothing is started that a half-written line names.
_zx_ssh_words() {
  ssh_words=()
  local word value
  while [[ $# -gt 0 ]]; do
    word=$1; shift
    case $word in
      -4 | -6) ssh_words+=("$word") ;;
      -[PiFJo]*)
        value=${word:2}
        if [[ -z $value ]]; then value=${1-}; [[ $# -eq 0 ]] || shift; fi
        value=$(_zx_unquote "$value"; printf .)
        word=${word:0:2}
        ssh_words+=("${word/-P/-p}" "${value%.}") ;;
      -S* | --) return 1 ;;
    esac
  done
}

# _zx_remote HOST PATH: the paths on HOST that begin with PATH, each with a NUL behind it, directories with a slash.
_zx_remote() {
  local host=$1 path=$2 record begun=
  local known='^[][A-Za-z0-9_.%@:-]+$'
  [[ $host =~ $known && $host != -* && $host != *@-* ]] || return 0
  host=${host/[\[]/}; host=${host/[\]]/}
  # The script goes over standard input: the command line is constant, whatever the shell over there is.
  # Before the mark comes what its start-up files print.
  while IFS= read -r -d '' record; do
    if [[ -n $begun ]]; then printf '%s\0' "$record"; elif [[ $record == *zx-paths ]]; then begun=yes; fi
  done < <(
    {
      printf 'p=%s\n' "'${path//\'/\'\\\'\'}'"
      printf '%s\n' 'printf "zx-paths\0"; for f in "$p"*; do [ -e "$f" ] || [ -L "$f" ] || continue' \
        '[ ! -d "$f" ] || f=$f/; printf "%s\0" "$f"; done; exit'
    } | ssh "${ssh_words[@]}" -o BatchMode=yes -o ConnectTimeout=3 -- "$host" 'exec sh -s' 2>/dev/null | head -c 1000000
  )
}

# _zx_reply NAME...: raw names as candidates, quoted, a space behind those that end a word.
_zx_reply() {
  local name
  compopt -o nospace 2>/dev/null
  for name in "$@"; do
    case $name in
      */ | *:) printf -v name %q "$name" ;;
      *) printf -v name '%q ' "$name" ;;
    esac
    COMPREPLY+=("$name")
  done
}

_zx_complete() {
  local words cword cur prev takes option value names=() ssh_words IFS=$' \t\n'
  COMPREPLY=()
  _zx_words
  cur=${words[cword]} prev=${words[cword - 1]}
  local i operands=
  for ((i = 1; i < cword; i++)); do [[ ${words[i]} != -- ]] || operands=yes; done

  if [[ -z $operands ]]; then
    # A value, behind its option or behind '='.
    option=$prev value=$cur
    if [[ $cur == --*=* ]]; then option=${cur%%=*} value=${cur#*=}; fi
    takes=$(_zx_options "${words[0]}" | awk -F '\t' -v name="$option" '$1 == name { print $2; exit }')
    case $takes in
      '' | \[=*) [[ $cur != --*=* ]] || return 0 ;;  # of [=FILE] the value is a file: readline's own completion
      *\|*)
        # What is in capitals stands for something, as in N|auto.
        COMPREPLY=($(compgen -W "${takes//|/ }" -X '+([A-Z])' -- "$value"))
        return 0 ;;
      *) return 0 ;;
    esac
    if [[ $cur == -* ]]; then
      COMPREPLY=($(compgen -W "$(_zx_options "${words[0]}" | cut -f1)" -- "$cur"))
      return 0
    fi
  fi

  # An operand. What is a local file is left to readline, which knows how to quote.
  local plain head
  plain=$(_zx_unquote "$cur"; printf .); plain=${plain%.}
  case $cur in \'* | \"* | zs://* | ssh://* | [./~]* | -*) return 0 ;; esac
  head=${plain%%:*}
  if [[ $plain == \[*\]:* ]]; then head=${plain%%]:*}]; fi
  if [[ $plain == *:* && $head != */* ]]; then
    _zx_ssh_words "${words[@]:1:cword-1}" || return 0
    while IFS= read -r -d '' value; do names+=("$value"); done < <(_zx_remote "$head" "${plain#"$head":}")
    [[ ${#names[@]} -gt 0 ]] || return 0
    _zx_reply "${names[@]}"
    # Readline replaces only what is behind the last colon, when it splits words there.
    local stays="$head:" typed=${cur#"$head":}
    if [[ $COMP_WORDBREAKS == *:* ]]; then stays=; typed=${typed%"${typed##*:}"}; else typed=; fi
    for i in "${!COMPREPLY[@]}"; do COMPREPLY[i]=$stays${COMPREPLY[i]#"$typed"}; done
    return 0
  fi
  if [[ -n $cur && $plain != */* ]] && declare -F _known_hosts_real >/dev/null; then
    # Sets COMPREPLY. Only with hosts among the answers are the local files to be added.
    _known_hosts_real -c -a -- "$cur"
    if [[ ${#COMPREPLY[@]} -gt 0 ]]; then
      compopt -o nospace 2>/dev/null
      while IFS= read -r value; do
        [[ ! -d $value ]] || value+=/
        _zx_reply "$value"
      done < <(compgen -f -- "$plain")
    fi
  fi
  return 0
}

complete -o bashdefault -o default -F _zx_complete zsend zrecv
