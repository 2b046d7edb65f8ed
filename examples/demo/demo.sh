#!/bin/sh
# The main job from end to end, on SYNTHETIC card payments, in a fresh folder. Ends at the first step that fails.
set -eu

folder=${1:-payments}
if [ -e "$folder" ]; then
    folder=$(mktemp -d "${TMPDIR:-/tmp}/tandem-demo.XXXXXX")/payments
fi
started=$(date +%s)

# Prints a command as one would type it, then runs it.
run() {
    printf '\n$'
    for word in "$@"; do
        case $word in
        *[!A-Za-z0-9_./=-]*) printf " '%s'" "$word" ;;
        *) printf ' %s' "$word" ;;
        esac
    done
    printf '\n'
    "$@"
}

say() {
    printf '\n# %s\n' "$*"
}

say "A project of synthetic card payments: project.yaml, rules, lists, labelled payments, new ones to score."
run tandem init payments "$folder"
run cd "$folder"

say "The filters, and the tests inside them."
run tandem check

say "One bundle: embedding, classifiers, policy and filters, evaluated together on the latest fifth of the payments."
run tandem fit
run tandem show
run tandem promote --why "first bundle"

say "New payments, file to file; then the reasons for one of them."
run tandem score data/new-payments.parquet -o decided.parquet
run tandem explain data/new-payments.parquet --row 2800

say "An analyst changes one threshold; the model is reused, so the new bundle takes seconds."
run sed -i.before 's/amount_ratio > 2.5/amount_ratio > 1.5/' rules/fraud.yaml
rm rules/fraud.yaml.before
run tandem check
run tandem fit
run tandem diff champion latest --data data/payments.parquet
run tandem promote latest --why "new devices abroad: look sooner"

say "And back, in one command."
run tandem rollback --why "too many reviews"
run tandem log

say "Done in $(($(date +%s) - started)) s. The project is in $(pwd); its champion is the first bundle again."
