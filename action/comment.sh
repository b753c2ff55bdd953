#!/usr/bin/env bash
# Puts a report under a pull request; a run after the first one replaces its own comment.
# comment.sh REPORT REPOSITORY NUMBER; needs the program gh, with a token that may write to pull requests.
set -euo pipefail
report="$1" repository="$2" number="$3"
mark="$(head -n 1 "$report")"
earlier="$(MARK="$mark" gh api "repos/$repository/issues/$number/comments" --paginate \
    --jq '.[] | select(.body | startswith(env.MARK)) | .id' | head -n 1)"
if [ -n "$earlier" ]; then
    gh api --method PATCH "repos/$repository/issues/comments/$earlier" -F "body=@$report" >/dev/null
else
    gh api --method POST "repos/$repository/issues/$number/comments" -F "body=@$report" >/dev/null
fi
