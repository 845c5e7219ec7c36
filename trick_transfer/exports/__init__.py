"""A trained network in the formats of others: timm, torchvision, mmdet and mmseg, ONNX; read again and compared."""
