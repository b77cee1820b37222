#!/bin/sh
# own_network.sh COMMAND...: runs it with a loopback for itself, where that is allowed. A port that a script's program has
# left is free, and another script that runs beside it may be given it, while the first still looks for its peer there.
unshare --net true 2>/dev/null || exec "$@"
exec unshare --net -- sh -c 'PATH=$PATH:/usr/sbin ip link set lo up && exec "$@"' sh "$@"
