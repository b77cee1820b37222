# Completion of zsend and zrecv for fish: options and their words as --help says them, files and hosts.

# A line for each option of a program: its forms with commas, what it takes, its description; tabs between.
function __zx_options --argument-names program
    $program --help 2>/dev/null | awk '
        function flush() { if (head != "") print head "\t" takes "\t" text; head = text = "" }
        /^  -/ { flush(); line = $0; sub(/^  /, "", line); left = line; sub(/  .*/, "", left)
                 split(left, word, " "); head = word[1]; takes = substr(left, length(head) + 2)
                 text = substr(line, length(left) + 1); sub(/^ +/, "", text); next }
        /^   +[^ ]/ { if (head != "" && text == "") { text = $0; sub(/^ +/, "", text) } next }
        { flush() }
        END { flush() }'
end

function __zx_complete --argument-names program
    complete -c $program -e
    # Operands: files, and hosts with a colon.
    complete -c $program -n 'not string match -qr "^-|[:/]" -- (commandline -ct)' -a '(__fish_print_hostnames):' -d 'Remote host'
    for line in (__zx_options $program)
        set -l part (string split \t -- $line)
        set -l arguments
        for form in (string split , -- $part[1])
            if string match -q -- '--*' $form
                set -a arguments -l (string sub -s 3 -- $form)
            else
                set -a arguments -s (string sub -s 2 -- $form)
            end
        end
        switch $part[2]
            case '' '[=*'
            case '*|*'
                set -a arguments -x -a (string split '|' -- $part[2] | string match -rv '^[A-Z]+$' | string join ' ')
            case '*FILE*'
                set -a arguments -r -F
            case '*'
                set -a arguments -x
        end
        complete -c $program $arguments -d $part[3]
    end
end

# fish loads this file by the name of the command, under each of the two names.
for program in zsend zrecv
    type -q $program; and __zx_complete $program
end
