"""What to do where it is not certain what images are: one remedy for each kind of question."""

NAME_FOLDERS = (
    "name the folders with --good, --bad and --masks, or rename this one to good, bad or masks"
)
NAME_INNER = (
    "name the folders with --good, --bad and --masks, or rename them to good, bad and masks"
)
LIST_FILES = "list all images in a CSV file with the columns path,label,mask"
MOVE_FILES = (
    "name the folders with --good, --bad and --masks, or move these images into a folder called "
    "good or bad"
)
SEPARATE_FILES = f"move the defective images into a folder of their own, or {LIST_FILES}"
