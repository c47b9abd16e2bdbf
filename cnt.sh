#!/bin/bash
# cnt.sh VENVWCT LABEL args
unset PYTHONDONTWRITEBYTECODE
W=$1; L=$2; shift 2
D=$(dirname $W)
rm -rf st-$L; $W run -q wide1000.yaml --store st-$L "$@" >/dev/null 2>&1; rm -rf st-$L
PYTHONHASHSEED=0 nice -n 19 valgrind --tool=cachegrind --cache-sim=no --cachegrind-out-file=/dev/null $D/python $W run -q wide1000.yaml --store st-$L "$@" 2>&1 | grep "I *refs" | sed "s/^/$L /"
rm -rf st-$L
