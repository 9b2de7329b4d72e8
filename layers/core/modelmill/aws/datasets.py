"""Records of datasets in the table."""

from modelmill.aws.dynamodb import Table
from modelmill.aws.layout import DATASET
from modelmill.aws.uploaded import Kind, TableUploaded
from modelmill.datasets.records import Dataset, DatasetFacts


class TableDatasets(TableUploaded[Dataset, DatasetFacts]):
    """Implements `datasets.records.Datasets`."""

    def __init__(self, table: Table) -> None:
        super().__init__(table, Kind(Dataset, DATASET, "datasets"))
